"""Gateways that are suspended in the midst of a commit, so that another one takes them for dead."""

import asyncio
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from typing_extensions import override

from benchmarks.crashes.answer import Exchange
from benchmarks.crashes.client import Client, open_client
from benchmarks.crashes.gateways import KILLABLE, Gateway, Gateways
from benchmarks.crashes.journal import Journals
from benchmarks.crashes.judge import compare_repeats, compare_states
from benchmarks.crashes.points import Point
from benchmarks.crashes.report import CrashReport, format_seconds
from benchmarks.crashes.seeded_random import SeededRandom
from benchmarks.crashes.workload import RunWorkload, Workload
from benchmarks.crashes.write_request import WriteRequest
from tests.ledger.service_books import Execution

__all__ = ("PAUSE", "PauseCase", "list_pause_cases", "run_pauses")

PAUSE: Final = 6.0
"""Seconds for which a gateway is suspended."""

_SUSPENSION: Final = 20.0
_POLL: Final = 0.02
_AT_ONCE: Final = 3
_SETTINGS: Final = {"GATEWAY_COMMIT_BUDGET_MS": "15000", "GATEWAY_UNDO_BUDGET_MS": "15000"}
"""Budgets that are longer than the pause: the gateway still sends requests after it."""


@dataclass(frozen=True)
class PauseCase:
    """A request of a *kind*, during which its gateway is suspended at *point*."""

    kind: str
    point: Point

    @override
    def __str__(self) -> str:
        return f"{self.kind}, suspended {self.point}"


_CASES: Final[Mapping[str, Sequence[PauseCase]]] = {
    "shop": (
        PauseCase("order", Point("begin", "after")),
        PauseCase("order", Point("POST /reservations", "during")),
        PauseCase("order", Point("settle", "before")),
        PauseCase("transfer", Point("begin", "before")),
        PauseCase("transfer", Point("begin", "after")),
        PauseCase("transfer", Point("POST /transfers", "during")),
        PauseCase("transfer", Point("POST /transfers", "after")),
        PauseCase("transfer", Point("POST /postings", "before")),
        PauseCase("transfer", Point("POST /postings", "after")),
        PauseCase("transfer", Point("settle", "before")),
        PauseCase("transfer", Point("settle", "during")),
        PauseCase("transfer", Point("settle", "after")),
        PauseCase("refused transfer", Point("POST /postings", "after")),
        PauseCase("refused transfer", Point("DELETE /transfers", "before")),
        PauseCase("refused transfer", Point("DELETE /transfers", "after")),
        PauseCase("refused transfer", Point("settle", "before")),
        PauseCase("purchase", Point("POST /orders", "after")),
        PauseCase("purchase", Point("seal", "before")),
        PauseCase("purchase", Point("seal", "after")),
        PauseCase("purchase", Point("POST /notifications", "before")),
        PauseCase("purchase", Point("amend", "before")),
        PauseCase("refused purchase", Point("DELETE /orders", "before")),
    ),
    "courier": (
        PauseCase("delivery", Point("begin", "after")),
        PauseCase("delivery", Point("POST /v1/charges", "before")),
        PauseCase("delivery", Point("POST /v1/charges", "during")),
        PauseCase("delivery", Point("POST /v1/charges", "after")),
        PauseCase("delivery", Point("POST /tickets", "before")),
        PauseCase("delivery", Point("POST /tickets", "after")),
        PauseCase("delivery", Point("seal", "before")),
        PauseCase("delivery", Point("seal", "after")),
        PauseCase("refused delivery", Point("POST /v1/refunds", "before")),
        PauseCase("refused delivery", Point("settle", "before")),
    ),
}


def list_pause_cases(workload: str) -> Sequence[PauseCase]:
    """Return all cases of a workload."""
    return _CASES[workload]


async def run_pauses(
    cases: Sequence[PauseCase], run_workload: RunWorkload, journals: Journals, conditions: str
) -> CrashReport:
    """Suspend a gateway in each case; meanwhile another client repeats the request at the other gateway."""
    report = CrashReport(conditions)
    places = asyncio.Semaphore(_AT_ONCE)
    with tempfile.TemporaryDirectory() as name:
        async with run_workload(Path(name)) as workload:

            async def run(number: int, case: PauseCase) -> tuple[Sequence[Exchange], Sequence[Execution]]:
                async with places:
                    folder = Path(name) / f"pause-{number}"
                    folder.mkdir()
                    gateways = Gateways(
                        2, workload, await asyncio.to_thread(journals.create, folder), folder, KILLABLE
                    )
                    kind = workload.kinds[case.kind]
                    try:
                        exchanges, executions, violations = await _pause(
                            gateways, case.point, kind.create(f"pause-{number}")
                        )
                    finally:
                        await gateways.kill()
                    answers = [exchange.answer and exchange.answer.status for exchange in exchanges]
                    if set(answers) != {kind.status}:
                        violations.append(f"answered {answers}, expected {kind.status}")
                    print(f"  {case}: {answers}", flush=True)
                    report.violations += [f"{case}: {text}" for text in (*violations, *gateways.list_bugs())]
                    return exchanges, executions

            results = await asyncio.gather(*(run(number, case) for number, case in enumerate(cases)))
            await _judge(report, workload, results)
    waits = [exchanges[1].seconds for exchanges, _ in results]
    report.figures |= {"cases": len(cases), "wait at the other gateway": format_seconds(waits)}
    return report


async def _judge(
    report: CrashReport, workload: Workload, results: Sequence[tuple[Sequence[Exchange], Sequence[Execution]]]
) -> None:
    exchanges = [exchange for both, _ in results for exchange in both]
    executions = [execution for _, found in results for execution in found]
    report.violations += compare_states(exchanges, executions)
    report.violations += await workload.list_violations(exchanges, executions)


async def _pause(
    gateways: Gateways, point: Point, request: WriteRequest
) -> tuple[Sequence[Exchange], Sequence[Execution], list[str]]:
    """Return the exchanges of both clients, the executions, and the violations so far."""
    first, second = gateways.all
    await first.start(**_SETTINGS, **point.environment, CRASH_SIGNAL="SIGSTOP")
    await second.start(**_SETTINGS)
    violations: list[str] = []
    async with (
        open_client(lambda: [first.url or ""], SeededRandom(f"{request.key} first")) as patient,
        open_client(lambda: [second.url or ""], SeededRandom(f"{request.key} second")) as other,
    ):
        waiting = asyncio.create_task(patient.insist(request))
        if not await _is_suspended(first):
            violations.append("did not get to its point")
        repeating = asyncio.create_task(other.insist(request))
        await asyncio.sleep(PAUSE)
        first.process.send_signal(signal.SIGCONT)
        exchanges = [await waiting, await repeating]
        for client in (patient, other):
            repeats = [await client.send(request) for _ in range(2)]
            violations += compare_repeats(exchanges[0], repeats)
            violations += compare_repeats(exchanges[1], repeats)
        return exchanges, await _list_ended(other, violations), violations


async def _list_ended(client: Client, violations: list[str]) -> Sequence[Execution]:
    executions = await client.list_executions()
    violations += [f"still {one.state}: {one}" for one in executions if one.state in {"running", "stuck"}]
    return executions


async def _is_suspended(gateway: Gateway) -> bool:
    """Wait until a gateway is suspended, and return True; return False if that does not happen."""
    end = asyncio.get_running_loop().time() + _SUSPENSION
    while not gateway.process.is_suspended:
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(_POLL)
    return True
