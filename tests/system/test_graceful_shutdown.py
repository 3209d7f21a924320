"""Graceful shutdown of a busy gateway, over real sockets: no accepted request is lost."""

import asyncio
import json
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import httpx
import pytest

from tests.ledger.caller_records import Response
from tests.ledger.service_books import STATEFUL_SERVICES, Books
from tests.system.programs import Program, ProgramResult, until
from tests.system.stack import ORDER, SERVICES, mocks

CALLERS: Final = 6
BUSY: Final = 150
"""Number of responses after which the gateway is stopped."""

LONG_LIMITS: Final = {"CALL_TIMEOUT_MS": 10_000, "DEADLINE_MS": 15_000}
"""On a busy machine, requests may wait longer than the defaults allow."""

TRANSFER: Final = {"from_account": "acc-001", "to_account": "acc-002", "amount": "0.01", "currency": "USD"}
REQUESTS: Final = (
    ("/transfers", TRANSFER),
    ("/checkout", ORDER),
    ("/transfers", TRANSFER),
    ("/orders", ORDER),
)

_BODY: Final = json.dumps(ORDER).encode()
CHECKOUT_HEAD: Final = (
    b"POST /checkout HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n" % len(_BODY)
)
CHECKOUT: Final = CHECKOUT_HEAD + _BODY


@pytest.fixture(scope="module")
def processes() -> Iterator[Mapping[str, str]]:
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0.1") as services:
        yield services


@pytest.fixture
def services(processes: Mapping[str, str]) -> Mapping[str, str]:
    for url in processes.values():
        httpx.delete(f"{url}/_mock").raise_for_status()
    return processes


def start_gateway(services: Mapping[str, str], **settings: int) -> Program:
    urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}
    variables = {f"GATEWAY_{name}": f"{value}" for name, value in settings.items()}
    return Program("gateway", "serve", environment={"GATEWAY_PORT": "0", **urls, **variables})


@dataclass
class Crowd:
    """Clients that each send requests without a pause until a connection fails, and the outcomes."""

    url: str
    answers: list[Response] = field(default_factory=list[Response])
    ends: Counter[str] = field(default_factory=Counter[str])
    is_busy: asyncio.Event = field(default_factory=asyncio.Event)

    async def send_requests(self, caller: str, *, keeps_alive: bool) -> None:
        """Send requests until the connection fails; record the responses and the exception."""
        limits = httpx.Limits(max_keepalive_connections=int(keeps_alive))
        async with httpx.AsyncClient(base_url=self.url, timeout=20, limits=limits, trust_env=False) as client:
            for number in count():
                path, body = REQUESTS[number % len(REQUESTS)]
                try:
                    response = await client.post(
                        path, json=body, headers={"Idempotency-Key": f"{caller}-{number}"}
                    )
                except httpx.TransportError as error:
                    self.ends[type(error).__name__] += 1
                    return
                self.answers.append(Response(response.status_code, response.headers, response.content))
                if len(self.answers) >= BUSY:
                    self.is_busy.set()


async def stop_under_load(program: Program, crowd: Crowd) -> ProgramResult:
    """Send the requests of *crowd*, and stop the gateway while they are in progress."""
    async with asyncio.TaskGroup() as group:
        for number in range(CALLERS):
            group.create_task(crowd.send_requests(f"persistent-{number}", keeps_alive=True))
            group.create_task(crowd.send_requests(f"reconnecting-{number}", keeps_alive=False))
        await crowd.is_busy.wait()
        program.process.send_signal(signal.SIGTERM)
    return await asyncio.to_thread(program.wait)


def books_of(services: Mapping[str, str]) -> Books:
    state: dict[str, object] = {}
    for name in STATEFUL_SERVICES:
        state |= httpx.get(f"{services[name]}/_mock/state").json()
    return Books.model_validate(state)


@pytest.mark.parametrize("drain", [0, 500])
def test_shutdown_loses_no_request(services: Mapping[str, str], drain: int) -> None:
    """Every request is answered or refused, and the services' state agrees with the answers."""

    async def play() -> tuple[Crowd, ProgramResult]:
        crowd = Crowd(program.read_line().split()[1])
        return crowd, await stop_under_load(program, crowd)

    with start_gateway(services, DRAIN_MS=drain, **LONG_LIMITS) as program:
        crowd, result = asyncio.run(play())

    books = books_of(services)
    assert (result.code, result.err) == (0, "")
    assert crowd.ends == {"ConnectError": 2 * CALLERS}
    assert {answer.status for answer in crowd.answers} <= {200, 201, 409}
    assert {
        answer.execution_id for answer in crowd.answers if answer.status == 201
    } == books.entries_in_effect.keys()
    books.assert_conserved()


def test_shutdown_answers_connections_in_backlog(
    services: Mapping[str, str],
) -> None:
    """A connection that was established before the signal is answered, even if it was not accepted yet."""
    with start_gateway(services) as program, ExitStack() as sockets:
        address = address_of(program)
        program.process.send_signal(signal.SIGSTOP)
        callers = [sockets.enter_context(socket.create_connection(address)) for _ in range(20)]
        for caller in callers:
            caller.sendall(CHECKOUT)
        program.process.send_signal(signal.SIGTERM)
        program.process.send_signal(signal.SIGCONT)
        answers = [read_all(caller) for caller in callers]
        result = program.wait()

    assert {answer.partition(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 200 OK"}
    assert all(b"connection: close" in answer for answer in answers)
    assert (result.code, result.err) == (0, "")


def test_shutdown_answers_half_received_request(
    services: Mapping[str, str],
) -> None:
    with (
        start_gateway(services) as program,
        socket.create_connection(address := address_of(program)) as caller,
    ):
        caller.sendall(CHECKOUT[:20])
        program.process.send_signal(signal.SIGTERM)
        until(lambda: is_refusing(address))
        caller.sendall(CHECKOUT[20:])
        answer = read_all(caller)
        result = program.wait()

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in answer
    assert (result.code, result.err) == (0, "")


def test_grace_period_ends_unread_response(
    services: Mapping[str, str],
) -> None:
    """A connection whose client does not read its responses is aborted at the end of the grace period."""
    with (
        start_gateway(services, DEADLINE_MS=600, CALL_TIMEOUT_MS=500) as program,
        socket.create_connection(address_of(program)) as caller,
    ):
        caller.sendall(b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: gateway\r\n\r\n" * 20)
        caller.recv(1)
        since = time.monotonic()
        until(lambda: time.monotonic() > since + 0.5)  # by then the buffers are full
        result = program.end()

    assert (result.code, result.err) == (0, "")


def test_second_sigint_cancels_reads_cleanly(services: Mapping[str, str]) -> None:
    hangs = [{"path_prefix": "/", "kind": "hang"}]
    httpx.put(f"{services['user']}/_mock/faults", json=hangs).raise_for_status()
    limits = {"DEADLINE_MS": 60_000, "CALL_TIMEOUT_MS": 59_000}
    with (
        start_gateway(services, **limits) as program,
        socket.create_connection(address := address_of(program)) as caller,
    ):
        caller.sendall(CHECKOUT)
        until(lambda: bool(httpx.get(f"{services['inventory']}/_mock/calls").json()))
        program.process.send_signal(signal.SIGINT)
        until(lambda: is_refusing(address))
        result = program.end(signal.SIGINT)

    assert (result.code, result.err) == (0, "")
    until(lambda: outcomes_of(services["user"]) == ["disconnected"])


SHORT_LIMITS = {"GATEWAY_PORT": "0", "GATEWAY_DEADLINE_MS": "600", "GATEWAY_CALL_TIMEOUT_MS": "500"}


@pytest.mark.parametrize("sent", [b"", CHECKOUT_HEAD[:20]])
def test_idle_connection_does_not_block_shutdown(sent: bytes) -> None:
    with (
        Program("gateway", "serve", environment=SHORT_LIMITS) as program,
        socket.create_connection(address_of(program)) as caller,
    ):
        caller.sendall(sent)
        result = program.end()

    assert (result.code, result.err) == (0, "")


def address_of(program: Program) -> tuple[str, int]:
    host, _, port = program.read_line().split()[1].removeprefix("http://").partition(":")
    return host, int(port)


def is_refusing(address: tuple[str, int]) -> bool:
    """Return True if connections to *address* are refused."""
    try:
        socket.create_connection(address, timeout=0.1).close()
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        pass
    return False


def read_all(caller: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    caller.settimeout(20)
    return b"".join(iter(lambda: caller.recv(65536), b""))


def outcomes_of(service: str) -> list[str]:
    return [call["outcome"] for call in httpx.get(f"{service}/_mock/calls").json()]
