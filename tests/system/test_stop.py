"""A gateway that is told to stop while it is busy: nobody loses anything."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import httpx
import pytest

from tests.ledger.books import HOLDERS, Books
from tests.ledger.callers import Answer
from tests.system.programs import Ended, Program
from tests.system.stack import ORDER, SERVICES, mocks

CALLERS: Final = 6
BUSY: Final = 150
"""Answers after which it is told to stop."""

TRANSFER: Final = {"from_account": "acc-001", "to_account": "acc-002", "amount": "0.01", "currency": "USD"}
REQUESTS: Final = (("/transfers", TRANSFER), ("/checkout", ORDER), ("/transfers", TRANSFER), ("/orders", ORDER))


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
    answers: list[Answer] = field(default_factory=list[Answer])
    ends: Counter[str] = field(default_factory=Counter[str])
    is_busy: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, caller: str, *, keeps_alive: bool) -> None:
        """Ask until it fails; note how."""
        limits = httpx.Limits(max_keepalive_connections=int(keeps_alive))
        async with httpx.AsyncClient(base_url=self.url, timeout=20, limits=limits, trust_env=False) as client:
            for number in count():
                path, body = REQUESTS[number % len(REQUESTS)]
                try:
                    found = await client.post(path, json=body, headers={"Idempotency-Key": f"{caller}-{number}"})
                except httpx.TransportError as error:
                    self.ends[type(error).__name__] += 1
                    return
                self.answers.append(Answer(found.status_code, found.headers, found.content))
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
    for name in HOLDERS:
        found |= httpx.get(f"{services[name]}/_mock/state").json()
    return Books.model_validate(found)


@pytest.mark.parametrize("drain", [0, 500])
def test_whoever_asks_while_it_stops_is_answered_or_refused_and_the_books_are_what_was_said(
    services: Mapping[str, str], drain: int
) -> None:
    async def play() -> tuple[Crowd, Ended]:
        crowd = Crowd(program.read_line().split()[1])
        return crowd, await stopped(program, crowd)

    with a_gateway(services, DRAIN_MS=drain) as program:
        crowd, ended = asyncio.run(play())

    print(crowd.ends, Counter(a.status for a in crowd.answers), ended.seconds)
    books = books_of(services)
    assert (ended.code, ended.err) == (0, "")
    assert crowd.ends == {"ConnectError": 2 * CALLERS}
    assert {answer.status for answer in crowd.answers} <= {200, 201, 409}
    assert {answer.execution_id for answer in crowd.answers if answer.status == 201} == books.standing.keys()
    books.assert_conserved()
