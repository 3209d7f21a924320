"""Commits of gateways that are killed with SIGKILL or suspended, judged by the state of the services.

`benchmarks/crashes` has the long runs: every named point, and storms of any size.
"""

import asyncio
from collections.abc import Generator, Sequence

import pytest

from benchmarks.crashes.courier import run_courier
from benchmarks.crashes.journal import Journals, run_journals
from benchmarks.crashes.pauses import PauseCase, run_pauses
from benchmarks.crashes.points import Point, PointCase, run_points
from benchmarks.crashes.report import CrashReport
from benchmarks.crashes.shop import run_shop
from benchmarks.crashes.storm import Storm, run_storm
from benchmarks.crashes.workload import RunWorkload

LONGEST_RECOVERY = 10.0
"""Seconds: twice what is promised, because the machine may be busy."""

ALONE = (
    PointCase("order", Point("POST /reservations", "during")),
    PointCase("transfer", Point("POST /postings", "after"), Point("DELETE /postings", "after")),
    PointCase("purchase", Point("seal", "after")),
)
REPLICAS = (
    PointCase("refused transfer", Point("DELETE /transfers", "after")),
    PointCase("purchase", Point("seal", "before")),
)
PAUSES = (
    PauseCase("transfer", Point("POST /transfers", "after")),
    PauseCase("purchase", Point("seal", "after")),
)


@pytest.fixture(scope="module")
def sqlite() -> Generator[Journals]:
    with run_journals("sqlite") as journals:
        yield journals


@pytest.fixture(scope="module")
def postgresql() -> Generator[Journals]:
    with run_journals("postgresql") as journals:
        yield journals


def run_point_cases(cases: Sequence[PointCase], gateways: int, journals: Journals) -> CrashReport:
    return asyncio.run(run_points(cases, gateways, run_shop, journals, "points"))


def run_pause_cases(cases: Sequence[PauseCase], workload: RunWorkload, journals: Journals) -> CrashReport:
    return asyncio.run(run_pauses(cases, workload, journals, "pauses"))


def test_random_kills_leave_nothing_behind(sqlite: Journals) -> None:
    storm = Storm(executions=30, kills=6, gateways=2, journal="sqlite")
    report = asyncio.run(run_storm(storm, run_shop, sqlite))

    assert report.violations == []
    assert (report.figures["kills"], report.figures["requests"]) == (6, 30)


def test_next_process_recovers_named_points(sqlite: Journals) -> None:
    """One of the cases kills the next process too, during the recovery."""
    report = run_point_cases(ALONE, 1, sqlite)

    assert report.violations == []
    assert len(report.recoveries) >= 2
    assert max(report.recoveries) <= LONGEST_RECOVERY


def test_replica_recovers_named_points(postgresql: Journals) -> None:
    report = run_point_cases(REPLICAS, 2, postgresql)

    assert report.violations == []
    assert len(report.recoveries) == len(REPLICAS)
    assert max(report.recoveries) <= LONGEST_RECOVERY


def test_suspended_process_does_not_commit_twice(sqlite: Journals) -> None:
    assert run_pause_cases(PAUSES, run_shop, sqlite).violations == []


def test_suspended_process_undoes_its_late_charge(sqlite: Journals) -> None:
    """The payment provider executes a charge that arrives after its undo has found nothing."""
    cases = (PauseCase("delivery", Point("POST /v1/charges", "before")),)

    assert run_pause_cases(cases, run_courier, sqlite).violations == []


def test_wrong_guesses_about_deaths_are_harmless(postgresql: Journals) -> None:
    """The processes take each other for dead although all are alive."""
    storm = Storm(executions=60, kills=0, gateways=3, journal="postgresql", heartbeat_timeout=0.05)
    report = asyncio.run(run_storm(storm, run_shop, postgresql))

    assert report.violations == []
    assert report.figures["requests"] == 60
    assert report.figures["recoveries"] != 0
