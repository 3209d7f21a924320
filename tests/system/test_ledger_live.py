"""Consistency of the services' state while real processes are killed and suspended, and connections break.

Requests, faults and kills are drawn from a seed, which is printed; their timing depends on the machine. For
a longer run with another seed: `LEDGER_SEED=7 LEDGER_REQUESTS=20000 scripts/test
tests/system/test_ledger_live.py -s`.
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import permutations
from pathlib import Path
from typing import Final

import httpx

from tests.ledger.caller_records import (
    Response,
    SentRequest,
    WriteRequest,
    assert_consistent,
    find_repeatable,
)
from tests.ledger.service_books import STATEFUL_SERVICES, Execution, Executions
from tests.system.killable_stack import FLEET, Fleet, client_of, run_fleet, run_gateway
from tests.system.stack import ORDER, Json

SEED: Final = int(os.environ.get("LEDGER_SEED", "1"))
REQUESTS: Final = int(os.environ.get("LEDGER_REQUESTS", "400"))
CALLERS: Final = 10
PAUSE_AFTER_503: Final = (0.1, 0.6)
"""Seconds. Without a pause, most requests would meet an open circuit breaker."""

TAIL: Final = 5.0
"""Seconds after which nothing is in progress any more: both budgets, and the slowest fault."""

SETTINGS: Final = {
    "DEADLINE_MS": 1000,
    "CALL_TIMEOUT_MS": 200,
    "COMMIT_RESERVE_MS": 100,
    "COMMIT_BUDGET_MS": 600,
    "UNDO_BUDGET_MS": 800,
}

ACCOUNTS: Final = [*permutations(("acc-001", "acc-002", "acc-empty"), 2), ("acc-001", "acc-frozen")]
WRITES: Final = {
    "account": "/postings",
    "payment": "/transfers",
    "inventory": "/reservations",
    "order": "/orders",
}


class Chance:
    """Random choices of one participant, reproducible from its *seed*."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a game, not a secret
        self.choice = self._random.choice
        self.uniform = self._random.uniform
        self.randint = self._random.randint

    def happens(self, probability: float) -> bool:
        return self._random.random() < probability

    def draw_request(self) -> WriteRequest:
        """Draw a request; most requests with the same key are equal."""
        if self.happens(0.3):
            return self.draw_request_with(None)
        key = f"key-{self.randint(1, REQUESTS // 3)}"
        return (self if self.happens(0.1) else Chance(key)).draw_request_with(key)

    def draw_request_with(self, key: str | None) -> WriteRequest:
        product: dict[str, object] = {"product_id": "prod-456", "quantity": 1}
        match self.choice(("/transfers", "/transfers", "/orders", "/purchases")):
            case "/transfers":
                source, destination = self.choice(ACCOUNTS)
                terms = {"from_account": source, "to_account": destination, "currency": "USD"}
                return WriteRequest(
                    "/transfers", {**terms, "amount": self.choice(("0.01", "5", "20.5"))}, key
                )
            case "/orders":
                return WriteRequest("/orders", {**ORDER, **product}, key)
            case path:
                return WriteRequest(path, {"user_id": "user-123", **product}, key, "token-user-123")

    def draw_faults(self, service: str) -> Sequence[Json]:
        return [self._draw_fault(service) for _ in range(self.randint(1, 3))]

    def _draw_fault(self, service: str) -> Json:
        kind = self.choice(("status", "latency", "hang", "drop", "garbage", "truncate", "drop_after_write"))
        return {
            "path_prefix": WRITES.get(service, "/"),
            "method": self.choice(("POST", "DELETE")) if service in STATEFUL_SERVICES else None,
            "kind": kind,
            "status": self.choice((400, 404, 409, 429, 500, 503)),
            "latency_ms": self.choice((50, 190, 210, 700, 1500)) if kind == "latency" else None,
            "times": self.choice((1, 2, 5, 30)),
        }


class Game:
    """Callers, faults, kills and an operator at the same time, until `REQUESTS` requests have been sent."""

    def __init__(self, services: Fleet, client: httpx.AsyncClient) -> None:
        self._services = services
        self._client = client
        self._sent: list[SentRequest] = []
        self._is_over = False
        self.counted: Counter[str] = Counter()

    async def play(self) -> None:
        """Send all requests while services fail."""
        others = (
            self._inject_faults(Chance(f"{SEED} faults")),
            self._interrupt(Chance(f"{SEED} kills"), [name for name in FLEET if name in STATEFUL_SERVICES]),
            self._interrupt(
                Chance(f"{SEED} more"), [name for name in FLEET if name not in STATEFUL_SERVICES]
            ),
            self._retry_stuck(Chance(f"{SEED} operator")),
        )
        async with asyncio.TaskGroup() as group:
            for other in others:
                group.create_task(other)
            await asyncio.gather(*(self._call(Chance(f"{SEED} {n}")) for n in range(CALLERS)))
            self._is_over = True

    async def settle(self) -> None:
        """Bring everything to rest, and check all state.

        Removes the faults, waits for all commits, retries stuck executions, and repeats each request that
        has a key.
        """
        await self._services.heal()
        await asyncio.sleep(TAIL)
        for stuck in await self._executions("stuck"):
            self.counted["stuck in the end"] += 1
            assert await self._retry(stuck) == "undone"
        assert not await self._executions("running")
        for request in find_repeatable(self._sent):
            await self._send(request)
        executions, books = await self._executions(), await self._services.books()
        self.counted.update(f"{execution.pipeline} {execution.state}" for execution in executions)
        self.counted.update(f"{sent.request.path} {sent.summary}" for sent in self._sent)
        self.counted.update(books.rare_events)
        books.assert_conserved()
        books.assert_agree(executions)
        assert_consistent(self._sent, books, executions)

    async def _call(self, chance: Chance) -> None:
        for _ in range(REQUESTS // CALLERS):
            timeout_ms = chance.randint(50, 900) if chance.happens(0.2) else None
            disconnects_after = chance.uniform(0, 0.15) if chance.happens(0.15) else None
            sent = await self._send(chance.draw_request(), timeout_ms, disconnects_after)
            is_refused = sent.answer is not None and sent.answer.status == 503
            await asyncio.sleep(chance.uniform(*(PAUSE_AFTER_503 if is_refused else (0, 0.1))))

    async def _send(
        self,
        request: WriteRequest,
        timeout_ms: int | None = None,
        disconnects_after: float | None = None,
    ) -> SentRequest:
        sent = SentRequest(request)
        self._sent.append(sent)
        headers = dict(request.headers)
        if timeout_ms is not None:
            headers["X-Request-Timeout-Ms"] = f"{timeout_ms}"
        try:
            async with asyncio.timeout(disconnects_after):
                answer = await self._client.post(request.path, json=request.body, headers=headers)
        except TimeoutError:
            sent.has_disconnected = True
        else:
            sent.answer = Response(answer.status_code, answer.headers, answer.content)
        return sent

    async def _inject_faults(self, chance: Chance) -> None:
        """Set faults of services, and remove them now and then."""
        while not self._is_over:
            service = chance.choice((*FLEET, *STATEFUL_SERVICES, *STATEFUL_SERVICES))
            self.counted["faults"] += 1
            with suppress(httpx.TransportError):  # the service is dead
                await self._services.break_down(service, chance.draw_faults(service))
            await asyncio.sleep(chance.uniform(0, 0.4))
            if chance.happens(0.3):
                with suppress(httpx.TransportError):
                    await self._services.heal()

    async def _interrupt(self, chance: Chance, services: Sequence[str]) -> None:
        """Kill or suspend random *services*, one at a time."""
        while not self._is_over:
            service, seconds = chance.choice(services), chance.uniform(0, 0.7)
            if chance.happens(0.6):
                self.counted[f"killed: {service}"] += 1
                await self._services.kill(service, seconds)
            else:
                self.counted[f"stopped: {service}"] += 1
                await self._services.stop(service, seconds)
            await asyncio.sleep(chance.uniform(0, 1))

    async def _retry_stuck(self, chance: Chance) -> None:
        while not self._is_over:
            for stuck in await self._executions("stuck"):
                if chance.happens(0.5):
                    self.counted[f"retried: {await self._retry(stuck)}"] += 1
            await asyncio.sleep(0.5)

    async def _retry(self, stuck: Execution) -> str:
        answer = await self._client.post(f"/executions/{stuck.execution_id}/retry")
        assert answer.status_code == 200
        return Execution.model_validate_json(answer.content).state

    async def _executions(self, state: str | None = None) -> Sequence[Execution]:
        executions: list[Execution] = []
        query = {"limit": "100"} | ({} if state is None else {"state": state})
        cursor: str | None = ""
        while cursor is not None:
            params = query | ({"cursor": cursor} if cursor else {})
            page = Executions.model_validate_json(
                (await self._client.get("/executions", params=params)).content
            )
            executions += page.executions
            cursor = page.cursor
        return executions


async def play(services: Fleet, url: str) -> Counter[str]:
    """Play a game against the gateway at *url*, and return the counted events."""
    began = time.monotonic()
    async with client_of(url) as client:
        game = Game(services, client)
        try:
            await game.play()
            game.counted["seconds"] = round(time.monotonic() - began)
            await game.settle()
        finally:
            counts = "\n".join(f"{count:6} {name}" for name, count in sorted(game.counted.items()))
            print(f"LEDGER_SEED={SEED} LEDGER_REQUESTS={REQUESTS}\n{counts}")  # noqa: T201 - pytest shows it if the test fails
    return game.counted


def test_state_stays_consistent_if_services_die(tmp_path: Path) -> None:
    with (
        run_fleet(tmp_path) as services,
        run_gateway(services, **SETTINGS) as url,
        asyncio.Runner() as runner,
    ):
        counted = runner.run(play(services, url))

    assert counted["transfers committed"]
    assert counted["orders committed"]
    assert counted["purchases committed"]
