"""The mock services of the sample: orders, transfers and purchases."""

import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, final

from typing_extensions import override

from benchmarks.crashes.answer import Exchange
from benchmarks.crashes.seeded_random import SeededRandom
from benchmarks.crashes.workload import Workload
from benchmarks.crashes.write_request import Kind, WriteRequest
from benchmarks.storms.services import Json, Services, run_services
from tests.ledger.service_books import LEDGERS, STATEFUL_SERVICES, Books, Execution

__all__ = ("MOST_ORDERS", "Shop", "run_shop")

MOST_ORDERS: Final = 90
"""Orders of a storm: the stock is 100."""

_SETTINGS: Final = {
    "GATEWAY_DEADLINE_MS": "4000",
    "GATEWAY_CALL_TIMEOUT_MS": "500",
    "GATEWAY_COMMIT_RESERVE_MS": "200",
    "GATEWAY_COMMIT_BUDGET_MS": "2500",
    "GATEWAY_UNDO_BUDGET_MS": "2500",
}
_USER: Final = "user-123"
_BUYER: Final = {"user_id": _USER, "product_id": "prod-456"}
_ORDER: Final = {**_BUYER, "payment_id": "pm-789", "address": "123 Main St"}
_UNAVAILABLE: Final = {**_BUYER, "product_id": "prod-out-of-stock"}
_TRANSFER: Final = {"from_account": "acc-001", "amount": "1.00", "currency": "USD"}
_TOKEN: Final = f"token-{_USER}"

_KINDS: Final[Mapping[str, Kind]] = {
    "order": Kind("/orders", _ORDER, 201),
    "transfer": Kind("/transfers", {**_TRANSFER, "to_account": "acc-002"}, 201, mark="reference"),
    "refused transfer": Kind("/transfers", {**_TRANSFER, "to_account": "acc-frozen"}, 409, mark="reference"),
    "transfer to an unknown account": Kind(
        "/transfers", {**_TRANSFER, "to_account": "acc-unknown"}, 404, mark="reference"
    ),
    "purchase": Kind("/purchases", _BUYER, 201, _TOKEN),
    "refused purchase": Kind("/purchases", _UNAVAILABLE, 409, _TOKEN),
}
_SHARES: Final = {
    "order": 5,
    "transfer": 5,
    "refused transfer": 3,
    "transfer to an unknown account": 1,
    "purchase": 5,
    "refused purchase": 2,
}
_WRITES: Final = {
    "account": "/postings",
    "payment": "/transfers",
    "inventory": "/reservations",
    "order": "/orders",
    "notification": "/notifications",
}
_UNDOS: Final = ("account", "payment", "inventory", "order")
_ATTEMPT: Final = re.compile(r"exe-[0-9a-f]+\.\d{4}-\d\d-\d\d\.\d+\.")
"""Beginning of the key of a write of a second or later attempt."""


@final
class Shop(Workload):
    """The services of the sample, all in one process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._keys: set[str] = set()

    @property
    @override
    def kinds(self) -> Mapping[str, Kind]:
        return _KINDS

    @property
    @override
    def arguments(self) -> Sequence[str]:
        return ()

    @property
    @override
    def environment(self) -> Mapping[str, str]:
        urls = {f"GATEWAY_{name.upper()}_URL": url for name, url in self._services.urls.items()}
        return {**_SETTINGS, **urls, "CRASH_APP": "shop"}

    @override
    def create_requests(self, count: int, random: SeededRandom) -> Sequence[WriteRequest]:
        bag = [name for name, share in _SHARES.items() for _ in range(share)]
        names = [random.choice(bag) for _ in range(count)]
        orders = [number for number, name in enumerate(names) if name == "order"]
        for number in orders[MOST_ORDERS:]:
            names[number] = "transfer"
        return [_KINDS[name].create(f"key-{number}") for number, name in enumerate(names)]

    @override
    async def inject_fault(self, random: SeededRandom) -> None:
        name = random.choice([*_WRITES])
        path = _WRITES[name]
        draw = random.uniform(0, 1)
        times = random.randint(1, 3)
        options: dict[str, Json] = {"times": times}
        if draw < 0.35:  # noqa: PLR2004 - the shares of the faults
            kind, options["method"] = "drop_after_write", "POST"
        elif draw < 0.6:  # noqa: PLR2004
            kind, options["method"], options["latency_ms"] = "latency", "POST", random.randint(300, 1500)
        elif draw < 0.7:  # noqa: PLR2004
            kind, options["method"] = "drop", "POST"
        elif draw < 0.9 or name not in _UNDOS:  # noqa: PLR2004
            kind, options["method"] = random.choice(("status", "drop_after_write")), "DELETE"
        else:  # until it is cleared: some executions get stuck
            kind, options["method"], options["times"] = "status", "DELETE", 1000
        await self._services.inject_fault(name, kind, path, **options)

    @override
    async def heal(self) -> None:
        for name in _WRITES:
            await self._services.clear_faults(name)

    @override
    async def list_violations(
        self, exchanges: Sequence[Exchange], executions: Sequence[Execution]
    ) -> Sequence[str]:
        books, announced = await self._fetch_books(), await self._fetch_announcements()
        return [
            *_find_imbalances(books),
            *_compare_with_executions(books, executions),
            *_compare_with_promises(books, exchanges),
            *await self._compare_transfers(exchanges),
            *_find_false_announcements(books, announced, exchanges),
        ]

    @override
    async def count(self) -> Mapping[str, int]:
        calls = [
            call["idempotency_key"] or call["path"].rpartition("/")[2]
            for name in _WRITES
            for call in await self._services.list_calls(name)
            if call["method"] in {"POST", "DELETE"}
        ]
        keys = Counter(call for call in calls if call.startswith("exe-"))
        return {
            "keys of writes seen by services": len(keys),
            "keys seen twice or more": sum(times > 1 for times in keys.values()),
            "keys of second and later attempts": sum(bool(_ATTEMPT.match(key)) for key in keys),
        }

    async def _compare_transfers(self, exchanges: Sequence[Exchange]) -> Sequence[str]:
        """Compare the transfers with the answers, by their reference, which is the key of the request."""
        transfers = (await self._services.fetch_state("payment"))["transfers"]
        postings = (await self._services.fetch_state("account"))["postings"]
        executed = Counter(item["reference"] for item in transfers if item["status"] == "executed")
        posted = Counter(item["reference"] for item in postings if item["status"] == "posted")
        violations: list[str] = []
        for exchange in exchanges:
            key, answer = exchange.request.key, exchange.answer
            expected = {(0, 0), (1, 1)} if answer is None else {(1, 1) if exchange.is_successful else (0, 0)}
            if exchange.request.path == "/transfers" and (executed[key], posted[key]) not in expected:
                made = f"executed {executed[key]} times and posted {posted[key]} times"
                violations.append(f"{key}: {made}, the answer was {answer}")
        return violations

    async def _fetch_books(self) -> Books:
        state: dict[str, object] = {}
        for name in STATEFUL_SERVICES:
            state |= await self._services.fetch_state(name)
        return Books.model_validate(state)

    async def _fetch_announcements(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        notifications = (await self._services.fetch_state("notification"))["notifications"]
        events = (await self._services.fetch_state("analytics"))["events"]
        return {"notification": notifications, "event": events}


def _compare_with_executions(books: Books, executions: Sequence[Execution]) -> list[str]:
    """Compare what each execution has left behind with its state."""
    effects = {
        execution_id: sorted(entry[0] for entry in entries.elements())
        for execution_id, entries in books.entries_in_effect.items()
    }
    violations: list[str] = []
    for execution in executions:
        found = effects.pop(execution.execution_id, [])
        expected = sorted(LEDGERS[execution.pipeline]) if execution.state == "committed" else []
        if found != expected and execution.state != "stuck":
            name = f"{execution.pipeline} {execution.execution_id} ({execution.state})"
            violations.append(f"{name} has left {found}, expected {expected}")
    violations += [f"unknown execution {name} has left {found}" for name, found in effects.items()]
    return violations


def _compare_with_promises(books: Books, exchanges: Sequence[Exchange]) -> list[str]:
    """Find ids in successful answers that the books do not have."""
    ids = {entry[-1] for entries in books.entries_in_effect.values() for entry in entries}
    return [
        f"{exchange.request.key}: {promised} was promised, but does not stand"
        for exchange in exchanges
        if exchange.is_successful and (promised := _find_id(exchange)) not in ids
    ]


def _find_id(exchange: Exchange) -> str:
    """Return the id of the effect in a successful answer."""
    body = exchange.body
    if exchange.request.path == "/transfers":
        return str(body["transfer_id"])
    is_order = exchange.request.path == "/orders"
    return str(body["reservation"]["reservation_id"] if is_order else body["order"]["order_id"])


def _find_imbalances(books: Books) -> list[str]:
    try:
        books.assert_conserved()
    except AssertionError as error:
        return [f"money or goods are not conserved: {error}"]
    return []


def _find_false_announcements(
    books: Books, announced: Mapping[str, Sequence[Mapping[str, Any]]], exchanges: Sequence[Exchange]
) -> list[str]:
    """Find announcements of orders that do not stand, repeated ones, and promised ones that are missing."""
    standing = {order.order_id for order in books.orders if order.status == "created"}
    violations: list[str] = []
    for kind, records in announced.items():
        times = Counter(record["order_id"] for record in records)
        violations += [
            f"{kind} for {order}, which does not stand" for order in times if order not in standing
        ]
        violations += [f"{count} {kind}s for {order}" for order, count in times.items() if count > 1]
    sent = {record["notification_id"] for record in announced["notification"]}
    for exchange in exchanges:
        if exchange.is_successful and exchange.request.path == "/purchases":
            promised = exchange.body["notification"]
            if promised is not None and promised["notification_id"] not in sent:
                violations.append(f"{exchange.request.key}: {promised} was promised, but was not sent")
    return violations


@asynccontextmanager
async def run_shop(folder: Path) -> AsyncGenerator[Shop]:
    """Run the services of the sample."""
    async with run_services(folder, separately=False) as services:
        yield Shop(services)
