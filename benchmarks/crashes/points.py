"""Gateways that are killed before, during and after each step of a commit, and again during the recovery."""

import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias, final

from typing_extensions import override

from benchmarks.crashes.answer import Exchange
from benchmarks.crashes.client import Client, open_client
from benchmarks.crashes.gateways import KILLABLE, Gateway, Gateways
from benchmarks.crashes.journal import Journals
from benchmarks.crashes.judge import compare_repeats, compare_states
from benchmarks.crashes.report import CrashReport, format_seconds
from benchmarks.crashes.seeded_random import SeededRandom
from benchmarks.crashes.workload import RunWorkload, Workload
from benchmarks.crashes.write_request import Kind
from tests.ledger.service_books import Execution

__all__ = ("CaseResult", "Point", "PointCase", "list_point_cases", "run_points")

Moment: TypeAlias = Literal["before", "during", "after"]
MOMENTS: Final[tuple[Moment, ...]] = ("before", "during", "after")

_AT_ONCE: Final = 3
_DEATH: Final = 20.0
"""Seconds in which a gateway must reach its point."""

_REST: Final = 60.0
_POLL: Final = 0.05

_SITES: Final[Mapping[str, Mapping[str, Sequence[str]]]] = {
    "shop": {
        "order": ("begin", "POST /reservations", "settle"),
        "transfer": ("begin", "POST /transfers", "POST /postings", "settle"),
        "refused transfer": ("begin", "POST /transfers", "POST /postings", "DELETE /transfers", "settle"),
        "purchase": ("begin", "POST /orders", "seal", "POST /notifications", "POST /events", "amend"),
        "refused purchase": ("begin", "POST /orders", "DELETE /orders", "settle"),
    },
    "courier": {
        "delivery": ("begin", "POST /v1/charges", "POST /tickets", "seal", "PATCH /tickets", "amend"),
        "refused delivery": ("begin", "POST /v1/charges", "POST /tickets", "POST /v1/refunds", "settle"),
    },
}
"""The steps of each kind of request, by workload."""

_RECOVERIES: Final[Mapping[str, Sequence[tuple[str, str, Sequence[str]]]]] = {
    "shop": (
        ("order", "POST /reservations", ("take over", "DELETE /reservations", "finish undo")),
        ("transfer", "POST /postings", ("take over", "DELETE /postings", "DELETE /transfers", "finish undo")),
        ("refused transfer", "DELETE /transfers", ("take over", "DELETE /transfers", "finish undo")),
        ("purchase", "POST /orders", ("take over", "DELETE /orders", "finish undo")),
        ("purchase", "seal", ("finish seal",)),
    ),
    "courier": (
        (
            "delivery",
            "POST /tickets",
            (
                "take over",
                "GET /tickets",
                "DELETE /tickets",
                "GET /v1/charges/search",
                "POST /v1/refunds",
                "finish undo",
            ),
        ),
    ),
}
"""Steps after which a gateway is killed, and the steps of the recovery at which the next one is killed."""


@dataclass(frozen=True)
class Point:
    """A moment of a step (see `killable_gateway`)."""

    site: str
    moment: Moment

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a gateway that ends here."""
        return {"CRASH_SITE": self.site, "CRASH_MOMENT": self.moment}

    @override
    def __str__(self) -> str:
        return f"{self.moment} {self.site}"


@dataclass(frozen=True)
class PointCase:
    """A request of a *kind*, for which a gateway is killed at *point*.

    The next gateway is killed at *recovery*, if that is given.
    """

    kind: str
    point: Point
    recovery: Point | None = None

    @override
    def __str__(self) -> str:
        again = "" if self.recovery is None else f", and again {self.recovery}"
        return f"{self.kind}, killed {self.point}{again}"


@dataclass
class CaseResult:
    """Result of a case.

    If an execution was to be undone, it *has_recovered*, in *recovered* seconds.
    """

    exchange: Exchange
    executions: Sequence[Execution]
    violations: Sequence[str]
    recovered: float = 0.0
    has_recovered: bool = field(default=False, kw_only=True)


def list_point_cases(workload: str) -> Sequence[PointCase]:
    """Return all cases of a workload."""
    first = [
        PointCase(kind, Point(site, moment))
        for kind, sites in _SITES[workload].items()
        for site in sites
        for moment in MOMENTS
    ]
    again = [
        PointCase(kind, Point(site, "after"), Point(second, moment))
        for kind, site, sites in _RECOVERIES[workload]
        for second in sites
        for moment in MOMENTS
    ]
    return [*first, *again]


async def run_points(
    cases: Sequence[PointCase], count: int, run_workload: RunWorkload, journals: Journals, conditions: str
) -> CrashReport:
    """Run *cases*, a few at a time, each with *count* gateways and a journal of its own."""
    report = CrashReport(conditions)
    places = asyncio.Semaphore(_AT_ONCE)
    with tempfile.TemporaryDirectory() as name:
        async with run_workload(Path(name)) as workload:

            async def run(number: int, case: PointCase) -> CaseResult:
                async with places:
                    folder = Path(name) / f"case-{number}"
                    folder.mkdir()
                    gateways = Gateways(
                        count + 1,
                        workload,
                        await asyncio.to_thread(journals.create, folder),
                        folder,
                        KILLABLE,
                    )
                    try:
                        result = await _Case(
                            case, workload.kinds[case.kind], f"case-{number}", gateways, count
                        ).run()
                    finally:
                        await gateways.kill()
                    result.violations = [*result.violations, *gateways.list_bugs()]
                    _show(case, result)
                    return result

            results = await asyncio.gather(*(run(number, case) for number, case in enumerate(cases)))
            report.violations += await _judge(workload, cases, results)
    report.recoveries += [result.recovered for result in results if result.has_recovered]
    report.figures |= {
        "cases": len(cases),
        "kills": sum(1 if case.recovery is None else 2 for case in cases),
        "undone by the recovery": len(report.recoveries),
        "from the kill, or the start of the next gateway, to the end of the undo": format_seconds(
            report.recoveries
        ),
        "then, to the answer to a repeated request": format_seconds(
            [result.exchange.seconds for result in results]
        ),
    }
    return report


async def _judge(
    workload: Workload, cases: Sequence[PointCase], results: Sequence[CaseResult]
) -> Sequence[str]:
    exchanges = [result.exchange for result in results]
    executions = [execution for result in results for execution in result.executions]
    return [
        *(
            f"{case}: {text}"
            for case, result in zip(cases, results, strict=True)
            for text in result.violations
        ),
        *compare_states(exchanges, executions),
        *await workload.list_violations(exchanges, executions),
    ]


def _show(case: PointCase, result: CaseResult) -> None:
    answer = result.exchange.answer
    recovered = f", undone in {result.recovered:.1f} s" if result.has_recovered else ""
    print(f"  {case}: {None if answer is None else answer.status}{recovered}", flush=True)
    for violation in result.violations:
        print(f"    {violation}", flush=True)


@final
class _Case:
    """A case in progress: *count* gateways, of which some are killed, and one more that takes their place."""

    def __init__(self, case: PointCase, kind: Kind, key: str, gateways: Gateways, count: int) -> None:
        self._case = case
        self._kind = kind
        self._request = self._kind.create(key)
        self._first, *self._others = gateways.all
        self._is_alone = count == 1
        self._gateways = gateways
        self._violations: list[str] = []

    async def run(self) -> CaseResult:
        """Send the request, let the gateways die, and repeat the request once nothing is running."""
        second = {} if self._case.recovery is None else self._case.recovery.environment
        successor = self._others[0]
        await self._first.start(**self._case.point.environment)
        if not self._is_alone:
            await successor.start(**second)
        async with open_client(self._gateways.list_urls, SeededRandom(self._request.key)) as client:
            await client.send_to(self._first.url or "", self._request)
            since = await self._wait_for_death(self._first)
            if self._is_alone:
                await successor.start(**second)
                since = time.monotonic()
            if second:
                await self._wait_for_death(successor)
                await self._others[-1].start()
                since = time.monotonic()
            return await self._observe(client, since)

    async def _observe(self, client: Client, since: float) -> CaseResult:
        """Wait until nothing is running; then repeat the request until it is answered, and twice more."""
        had_run = bool(await client.list_executions("running"))
        while await client.list_executions("running"):
            if time.monotonic() > since + _REST:
                self._violations.append(f"still running after {_REST:.0f} s")
                break
            await asyncio.sleep(_POLL)
        recovered = time.monotonic() - since
        exchange = await client.insist(self._request)
        if exchange.answer is None or exchange.answer.status != self._kind.status:
            self._violations.append(f"answered {exchange.answer}, expected {self._kind.status}")
        repeats = [await client.send(self._request) for _ in range(2)]
        self._violations += compare_repeats(exchange, repeats)
        executions = await client.list_executions()
        return CaseResult(exchange, executions, self._violations, recovered, has_recovered=had_run)

    async def _wait_for_death(self, gateway: Gateway) -> float:
        """Wait until a gateway has reached its point; return the time."""
        end = time.monotonic() + _DEATH
        while not gateway.process.has_ended:
            if time.monotonic() > end:
                self._violations.append(f"did not get to its point within {_DEATH:.0f} s")
                break
            await asyncio.sleep(_POLL / 5)
        since = time.monotonic()
        await gateway.kill()
        return since
