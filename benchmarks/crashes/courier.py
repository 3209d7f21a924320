"""The courier of `examples/`: a payment provider that undoes by an id of its own, and a help desk."""

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, final

import aiohttp
from typing_extensions import override

from benchmarks.crashes.answer import Exchange
from benchmarks.crashes.seeded_random import SeededRandom
from benchmarks.crashes.workload import Workload
from benchmarks.crashes.write_request import Kind, WriteRequest
from benchmarks.storms.process import Process
from examples.courier.apis.geocoder import API_KEY
from examples.courier.apis.payments import DECLINED_CUSTOMER, SECRET_KEY
from tests.ledger.service_books import Execution

__all__ = ("Courier", "run_courier")

_PLACES: Final = ("Brandenburg Gate", "Television Tower", "Reichstag", "Elbphilharmonie", "Marienplatz")
_UNPRINTABLE: Final = "Llanfair"
"""A place whose name makes the subject of the ticket too long: the charge is refunded."""

_SETTINGS: Final = {
    "GATEWAY_PAYMENT_TOKEN": SECRET_KEY,
    "GATEWAY_GEOCODER_TOKEN": API_KEY,
    "GATEWAY_CALL_TIMEOUT_MS": "300",
    "GATEWAY_COMMIT_BUDGET_MS": "2500",
    "GATEWAY_UNDO_BUDGET_MS": "10000",
}
_DELIVERY: Final = {"sender": "Brandenburg Gate", "receiver": "Reichstag"}
_KINDS: Final[Mapping[str, Kind]] = {
    "delivery": Kind("/deliveries", _DELIVERY, 201, mark="customer"),
    "refused delivery": Kind("/deliveries", {**_DELIVERY, "sender": _UNPRINTABLE}, 422, mark="customer"),
}


@final
class Courier(Workload):
    """The APIs of the courier at these *urls*: payments, geocoder, tickets."""

    def __init__(self, urls: Sequence[str], session: aiohttp.ClientSession) -> None:
        self._payments, self._geocoder, self._tickets = urls
        self._session = session

    @property
    @override
    def kinds(self) -> Mapping[str, Kind]:
        return _KINDS

    @property
    @override
    def arguments(self) -> Sequence[str]:
        return ("--app", "examples.courier.main:app")

    @property
    @override
    def environment(self) -> Mapping[str, str]:
        return {
            **_SETTINGS,
            "CRASH_APP": "courier",
            "GATEWAY_PAYMENT_URL": self._payments,
            "GATEWAY_GEOCODER_URL": self._geocoder,
            "GATEWAY_TICKET_URL": self._tickets,
        }

    @override
    def create_requests(self, count: int, random: SeededRandom) -> Sequence[WriteRequest]:
        """Return deliveries; the customer of each is the key, so that its charges can be told apart."""
        return [_create_delivery(f"cus-{number}", random) for number in range(count)]

    @override
    async def inject_fault(self, random: SeededRandom) -> None:
        await self._set_faults(random.choice((0, 0.1, 0.3)), random.choice((0, 0.1, 0.3)))

    @override
    async def heal(self) -> None:
        await self._set_faults(0, 0)

    @override
    async def list_violations(
        self, exchanges: Sequence[Exchange], executions: Sequence[Execution]
    ) -> Sequence[str]:
        charges = (await self._read(f"{self._payments}/v1/charges"))["data"]
        tickets = await self._read(f"{self._tickets}/tickets")
        charged = [charge for charge in charges if not charge["refunded"]]
        opened = [ticket for ticket in tickets if ticket["status"] != "closed"]
        committed = Counter(one.execution_id for one in executions if one.state == "committed")
        tickets_of = Counter(ticket["external_id"].partition(".")[0] for ticket in opened)
        violations = [] if tickets_of == committed else [f"tickets {tickets_of}, committed {committed}"]
        if len(charged) != committed.total():
            violations.append(
                f"{len(charged)} charges stand, but {committed.total()} deliveries are committed"
            )
        return [*violations, *_compare_with_answers(charged, opened, exchanges)]

    @override
    async def count(self) -> Mapping[str, int]:
        charges = (await self._read(f"{self._payments}/v1/charges"))["data"]
        tickets = await self._read(f"{self._tickets}/tickets")
        return {
            "charges": len(charges),
            "refunded": sum(charge["refunded"] for charge in charges),
            "tickets": len(tickets),
            "closed": sum(ticket["status"] == "closed" for ticket in tickets),
        }

    async def _set_faults(self, lost: float, late: float) -> None:
        query = {"lost": str(lost), "late": str(late)}
        async with self._session.put(f"{self._payments}/_faults", params=query) as response:
            response.raise_for_status()

    async def _read(self, url: str) -> Any:  # noqa: ANN401 - JSON
        async with self._session.get(url, headers={"Authorization": f"Bearer {SECRET_KEY}"}) as response:
            response.raise_for_status()
            return await response.json()


def _create_delivery(key: str, random: SeededRandom) -> WriteRequest:
    sender = _UNPRINTABLE if random.happens(0.2) else random.choice(_PLACES)
    body = {"customer": key, "sender": sender, "receiver": random.choice(_PLACES)}
    if random.happens(0.05):
        body["customer"] = DECLINED_CUSTOMER
    return WriteRequest("/deliveries", body, key)


def _compare_with_answers(
    charged: Sequence[Mapping[str, Any]],
    opened: Sequence[Mapping[str, Any]],
    exchanges: Sequence[Exchange],
) -> list[str]:
    charges = {str(charge["id"]): str(charge["customer"]) for charge in charged}
    times = Counter(charges.values())
    tickets = {ticket["id"]: ticket["status"] for ticket in opened}
    violations: list[str] = []
    for exchange in exchanges:
        customer, body = str(exchange.request.body["customer"]), exchange.body
        if exchange.is_successful:
            is_right = charges.get(body["charge_id"]) == customer and times[customer] == 1
            status = "open" if body["courier"] is None else "assigned"
            is_right &= tickets.get(body["ticket_id"]) in {status, "assigned"}
        else:
            is_right = times[customer] <= (exchange.answer is None)
        if not is_right:
            violations.append(f"{customer} has {times[customer]} charges, the answer was {exchange.answer}")
    return violations


@asynccontextmanager
async def run_courier(folder: Path) -> AsyncGenerator[Courier]:
    """Run the APIs of the courier."""
    process = Process("benchmarks.crashes.courier_apis", environment={}, log=folder / "apis.log")
    try:
        urls = (await process.first_line()).split()
        async with aiohttp.ClientSession() as session:
            yield Courier(urls, session)
    finally:
        await process.kill()
