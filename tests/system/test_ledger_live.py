"""Real processes that are killed and stopped, real connections that break: in the end the books are right.

What callers, faults and kills there are is drawn from a seed, which is printed; how they meet is up to the
machine. `LEDGER_SEED=7 LEDGER_REQUESTS=20000 scripts/test tests/system/test_ledger_live.py -s` plays
another game, for longer.
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
from tests.system.killable_stack import FLEET, Fleet, client_of, fleet, front
from tests.system.stack import ORDER, Json

SEED: Final = int(os.environ.get("LEDGER_SEED", "1"))
REQUESTS: Final = int(os.environ.get("LEDGER_REQUESTS", "700"))
CALLERS: Final = 10
COME_BACK: Final = (0.1, 0.6)
"""Seconds after a 503: whoever came back at once would spend the game on services that are left alone."""

# Seconds after which nothing is on its way any more: both budgets, and the slowest fault.
TAIL: Final = 5.0
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
    """Everything that is drawn."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a game, not a secret
        self.choice = self._random.choice
        self.uniform = self._random.uniform
        self.randint = self._random.randint

    def happens(self, probability: float) -> bool:
        return self._random.random() < probability

    def wanted(self) -> WriteRequest:
        """Draw a request; one with a key is mostly the same that others with this key are."""
        if self.happens(0.3):
            return self.anything(None)
        key = f"key-{self.randint(1, REQUESTS // 3)}"
        return (self if self.happens(0.1) else Chance(key)).anything(key)

    def anything(self, key: str | None) -> WriteRequest:
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

    def faults(self, service: str) -> Sequence[Json]:
        return [self._fault(service) for _ in range(self.randint(1, 3))]

    def _fault(self, service: str) -> Json:
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
    """Callers, a saboteur and an operator, until so many requests have been made."""

    def __init__(self, services: Fleet, client: httpx.AsyncClient) -> None:
        self._services = services
        self._client = client
        self._asked: list[SentRequest] = []
        self._is_over = False
        self.counted: Counter[str] = Counter()

    async def play(self) -> None:
        others = (
            self._break(Chance(f"{SEED} faults")),
            self._break_off(Chance(f"{SEED} kills"), [name for name in FLEET if name in STATEFUL_SERVICES]),
            self._break_off(
                Chance(f"{SEED} more"), [name for name in FLEET if name not in STATEFUL_SERVICES]
            ),
            self._operate(Chance(f"{SEED} operator")),
        )
        async with asyncio.TaskGroup() as group:
            for other in others:
                group.create_task(other)
            await asyncio.gather(*(self._call(Chance(f"{SEED} {n}")) for n in range(CALLERS)))
            self._is_over = True

    async def settle(self) -> None:
        """Take away what goes wrong, let everything end, undo what is stuck, and hold all to the books."""
        await self._services.heal()
        await asyncio.sleep(TAIL)
        for stuck in await self._executions("stuck"):
            self.counted["stuck in the end"] += 1
            assert await self._retry(stuck) == "undone"
        assert not await self._executions("running")
        for wanted in find_repeatable(self._asked):
            await self._ask(wanted)
        executions, books = await self._executions(), await self._services.books()
        self.counted.update(f"{one.pipeline} {one.state}" for one in executions)
        self.counted.update(f"{one.request.path} {one.summary}" for one in self._asked)
        self.counted.update(books.rare_events)
        books.assert_conserved()
        books.assert_agree(executions)
        assert_consistent(self._asked, books, executions)

    async def _call(self, chance: Chance) -> None:
        for _ in range(REQUESTS // CALLERS):
            patience = chance.randint(50, 900) if chance.happens(0.2) else None
            leaves = chance.uniform(0, 0.15) if chance.happens(0.15) else None
            asked = await self._ask(chance.wanted(), patience, leaves)
            is_refused = asked.answer is not None and asked.answer.status == 503
            await asyncio.sleep(chance.uniform(*(COME_BACK if is_refused else (0, 0.1))))

    async def _ask(
        self, wanted: WriteRequest, patience: int | None = None, leaves: float | None = None
    ) -> SentRequest:
        asked = SentRequest(wanted)
        self._asked.append(asked)
        headers = dict(wanted.headers)
        if patience is not None:
            headers["X-Request-Timeout-Ms"] = f"{patience}"
        try:
            async with asyncio.timeout(leaves):
                answer = await self._client.post(wanted.path, json=wanted.body, headers=headers)
        except TimeoutError:
            asked.has_disconnected = True
        else:
            asked.answer = Response(answer.status_code, answer.headers, answer.content)
        return asked

    async def _break(self, chance: Chance) -> None:
        """Put faults, and take them away again."""
        while not self._is_over:
            service = chance.choice((*FLEET, *STATEFUL_SERVICES, *STATEFUL_SERVICES))
            self.counted["faults"] += 1
            with suppress(httpx.TransportError):  # it is dead just now
                await self._services.break_down(service, chance.faults(service))
            await asyncio.sleep(chance.uniform(0, 0.4))
            if chance.happens(0.3):
                with suppress(httpx.TransportError):
                    await self._services.heal()

    async def _break_off(self, chance: Chance, services: Sequence[str]) -> None:
        """Kill services, or have them stand still."""
        while not self._is_over:
            service, seconds = chance.choice(services), chance.uniform(0, 0.7)
            if chance.happens(0.6):
                self.counted[f"killed: {service}"] += 1
                await self._services.kill(service, seconds)
            else:
                self.counted[f"stopped: {service}"] += 1
                await self._services.stop(service, seconds)
            await asyncio.sleep(chance.uniform(0, 1))

    async def _operate(self, chance: Chance) -> None:
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
        found: list[Execution] = []
        query = {"limit": "100"} | ({} if state is None else {"state": state})
        cursor: str | None = ""
        while cursor is not None:
            params = query | ({"cursor": cursor} if cursor else {})
            page = Executions.model_validate_json(
                (await self._client.get("/executions", params=params)).content
            )
            found += page.executions
            cursor = page.cursor
        return found


async def play(services: Fleet, url: str) -> Counter[str]:
    began = time.monotonic()
    async with client_of(url) as client:
        game = Game(services, client)
        try:
            await game.play()
            game.counted["seconds"] = round(time.monotonic() - began)
            await game.settle()
        finally:
            told = "\n".join(f"{count:6} {what}" for what, count in sorted(game.counted.items()))
            print(f"LEDGER_SEED={SEED} LEDGER_REQUESTS={REQUESTS}\n{told}")  # noqa: T201 - shown where it fails
    return game.counted


def test_services_may_die_and_the_books_are_right_in_the_end(tmp_path: Path) -> None:
    with fleet(tmp_path) as services, front(services, **SETTINGS) as url, asyncio.Runner() as runner:
        counted = runner.run(play(services, url))

    assert counted["transfers committed"]
    assert counted["orders committed"]
    assert counted["purchases committed"]
