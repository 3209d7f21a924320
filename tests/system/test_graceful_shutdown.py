"""A gateway that is told to stop while it is busy: nobody loses anything."""

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
from tests.system.programs import Ended, Program, until
from tests.system.stack import ORDER, SERVICES, mocks

CALLERS: Final = 6
BUSY: Final = 150
"""Answers after which it is told to stop."""

UNHURRIED: Final = {"CALL_TIMEOUT_MS": 10_000, "DEADLINE_MS": 15_000}
"""A crowd on a busy machine may wait for longer than it does by default."""

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


def a_gateway(services: Mapping[str, str], **settings: int) -> Program:
    urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}
    given = {f"GATEWAY_{name}": f"{value}" for name, value in settings.items()}
    return Program("gateway", "serve", environment={"GATEWAY_PORT": "0", **urls, **given})


@dataclass
class Crowd:
    """Callers who ask without a pause until they are refused, and what has come of it."""

    url: str
    answers: list[Response] = field(default_factory=list[Response])
    ends: Counter[str] = field(default_factory=Counter[str])
    is_busy: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, caller: str, *, keeps_alive: bool) -> None:
        """Ask until it fails; note how."""
        limits = httpx.Limits(max_keepalive_connections=int(keeps_alive))
        async with httpx.AsyncClient(base_url=self.url, timeout=20, limits=limits, trust_env=False) as client:
            for number in count():
                path, body = REQUESTS[number % len(REQUESTS)]
                try:
                    found = await client.post(
                        path, json=body, headers={"Idempotency-Key": f"{caller}-{number}"}
                    )
                except httpx.TransportError as error:
                    self.ends[type(error).__name__] += 1
                    return
                self.answers.append(Response(found.status_code, found.headers, found.content))
                if len(self.answers) >= BUSY:
                    self.is_busy.set()


async def stopped(program: Program, crowd: Crowd) -> Ended:
    """Let the crowd come, and tell the gateway to stop in the midst of it."""
    async with asyncio.TaskGroup() as group:
        for number in range(CALLERS):
            group.create_task(crowd.ask(f"stays-{number}", keeps_alive=True))
            group.create_task(crowd.ask(f"comes-{number}", keeps_alive=False))
        await crowd.is_busy.wait()
        program.process.send_signal(signal.SIGTERM)
    return await asyncio.to_thread(program.wait)


def books_of(services: Mapping[str, str]) -> Books:
    found: dict[str, object] = {}
    for name in STATEFUL_SERVICES:
        found |= httpx.get(f"{services[name]}/_mock/state").json()
    return Books.model_validate(found)


@pytest.mark.parametrize("drain", [0, 500])
def test_whoever_asks_while_it_stops_is_answered_or_refused_and_the_books_are_what_was_said(
    services: Mapping[str, str], drain: int
) -> None:
    async def play() -> tuple[Crowd, Ended]:
        crowd = Crowd(program.read_line().split()[1])
        return crowd, await stopped(program, crowd)

    with a_gateway(services, DRAIN_MS=drain, **UNHURRIED) as program:
        crowd, ended = asyncio.run(play())

    books = books_of(services)
    assert (ended.code, ended.err) == (0, "")
    assert crowd.ends == {"ConnectError": 2 * CALLERS}
    assert {answer.status for answer in crowd.answers} <= {200, 201, 409}
    assert {
        answer.execution_id for answer in crowd.answers if answer.status == 201
    } == books.entries_in_effect.keys()
    books.assert_conserved()


def test_who_has_connected_before_it_stops_is_answered_even_if_nobody_had_accepted_yet(
    services: Mapping[str, str],
) -> None:
    with a_gateway(services) as program, ExitStack() as open_:
        where = address_of(program)
        program.process.send_signal(signal.SIGSTOP)
        callers = [open_.enter_context(socket.create_connection(where)) for _ in range(20)]
        for caller in callers:
            caller.sendall(CHECKOUT)
        program.process.send_signal(signal.SIGTERM)
        program.process.send_signal(signal.SIGCONT)
        answers = [read_all(caller) for caller in callers]
        ended = program.wait()

    assert {answer.partition(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 200 OK"}
    assert all(b"connection: close" in answer for answer in answers)
    assert (ended.code, ended.err) == (0, "")


def test_a_request_that_has_come_in_half_is_heard_to_its_end_and_answered(
    services: Mapping[str, str],
) -> None:
    with a_gateway(services) as program, socket.create_connection(where := address_of(program)) as caller:
        caller.sendall(CHECKOUT[:20])
        program.process.send_signal(signal.SIGTERM)
        until(lambda: refuses(where))
        caller.sendall(CHECKOUT[20:])
        answer = read_all(caller)
        ended = program.wait()

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in answer
    assert (ended.code, ended.err) == (0, "")


def test_who_does_not_read_his_answer_is_hung_up_on_at_the_end_of_the_grace(
    services: Mapping[str, str],
) -> None:
    with (
        a_gateway(services, DEADLINE_MS=600, CALL_TIMEOUT_MS=500) as program,
        socket.create_connection(address_of(program)) as caller,
    ):
        caller.sendall(b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: gateway\r\n\r\n" * 20)
        caller.recv(1)
        since = time.monotonic()
        until(lambda: time.monotonic() > since + 0.5)  # by then nothing more can be sent to him
        ended = program.end()

    assert (ended.code, ended.err) == (0, "")


def test_the_impatient_end_what_is_only_read_without_a_traceback(services: Mapping[str, str]) -> None:
    hangs = [{"path_prefix": "/", "kind": "hang"}]
    httpx.put(f"{services['user']}/_mock/faults", json=hangs).raise_for_status()
    patient = {"DEADLINE_MS": 60_000, "CALL_TIMEOUT_MS": 59_000}
    with (
        a_gateway(services, **patient) as program,
        socket.create_connection(where := address_of(program)) as caller,
    ):
        caller.sendall(CHECKOUT)
        until(lambda: bool(httpx.get(f"{services['inventory']}/_mock/calls").json()))
        program.process.send_signal(signal.SIGINT)
        until(lambda: refuses(where))
        ended = program.end(signal.SIGINT)

    assert (ended.code, ended.err) == (0, "")
    until(lambda: outcomes_of(services["user"]) == ["disconnected"])


HASTY = {"GATEWAY_PORT": "0", "GATEWAY_DEADLINE_MS": "600", "GATEWAY_CALL_TIMEOUT_MS": "500"}


@pytest.mark.parametrize("sent", [b"", CHECKOUT_HEAD[:20]])
def test_who_never_sends_a_request_does_not_keep_it_from_ending(sent: bytes) -> None:
    with (
        Program("gateway", "serve", environment=HASTY) as program,
        socket.create_connection(address_of(program)) as caller,
    ):
        caller.sendall(sent)
        ended = program.end()

    assert (ended.code, ended.err) == (0, "")


def address_of(program: Program) -> tuple[str, int]:
    host, _, port = program.read_line().split()[1].removeprefix("http://").partition(":")
    return host, int(port)


def refuses(where: tuple[str, int]) -> bool:
    """Tell whether nobody listens there any more."""
    try:
        socket.create_connection(where, timeout=0.1).close()
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        pass
    return False


def read_all(caller: socket.socket) -> bytes:
    """Read until the other side has closed."""
    caller.settimeout(20)
    return b"".join(iter(lambda: caller.recv(65536), b""))


def outcomes_of(service: str) -> list[str]:
    return [call["outcome"] for call in httpx.get(f"{service}/_mock/calls").json()]
