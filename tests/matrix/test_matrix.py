"""Every cell of the failure matrix."""

import logging
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Final, final

import pytest

from tests.matrix.call_graph import CallGraph
from tests.matrix.cells import Cell, arrival_orders, cells, fault_pair_cells, single_fault_cells
from tests.matrix.discovery import discover_call_graphs
from tests.matrix.expected_answers import ExpectedFailure, ExpectedResult, expect_result
from tests.matrix.gateway_under_test import Gateway, PlayedCell, load_document
from tests.matrix.invariants import Case, find_violations
from tests.matrix.openapi_answers import Document
from tests.matrix.sample_requests import SAMPLES, Sample

CALL_GRAPHS: Final = discover_call_graphs()
DOCUMENT: Final = load_document()

OWN: Final[Mapping[int, str]] = {
    400: "a header makes no sense",
    408: "the body does not arrive in time",
    413: "the body is too large, even one that nobody reads",
    422: "an argument is not valid",
    429: "its caller asks too often, where that is limited",
    500: "there is a bug",
}
"""What a route answers by itself, and why."""

OF_BODIES: Final[Mapping[int, str]] = {415: "the body is not declared as JSON"}
OF_PIPELINES: Final[Mapping[str, Mapping[int, str]]] = {
    "checkout": {},
    "orders": {},
    "feed": {},
    "transfers": {},
    "purchases": {403: "the token is somebody else's: no service says so, it is seen in what one answers"},
}


@final
@dataclass(frozen=True)
class Table:
    """The matrix of one pipeline, ready to be played."""

    sample: Sample
    graph: CallGraph
    gateway: Gateway
    document: Document
    healthy: PlayedCell

    async def find_violations_in(self, cells: Iterable[Cell]) -> Sequence[str]:
        """Play *cells* in every order of arrival; say what does not hold."""
        return [complaint for cell in cells for complaint in await self._play(cell)]

    async def _play(self, cell: Cell) -> Sequence[str]:
        success = self.document.success_of(self.sample.method, self.sample.route)
        expected = expect_result(self.graph, cell, success)
        found: list[str] = []
        told: dict[str, str] = {}
        for order, latencies in arrival_orders(cell.stage).items():
            played = await self.gateway.play(cell, latencies)
            told[played.fingerprint] = order
            found += [
                f"{cell} ({order}): {complaint}" for complaint in self.find_violations(played, expected)
            ]
        found += [
            f"{cell}: the breaker of {name} is not closed" for name in await self.gateway.find_open_breakers()
        ]
        if len(told) > 1:
            found.append(f"{cell}: not the same answer {' and '.join(told.values())}: {[*told]}")
        return found

    def find_violations(self, played: PlayedCell, expected: ExpectedResult) -> Iterator[str]:
        return find_violations(Case(self.sample, self.graph, self.document, self.healthy, played, expected))


@pytest.fixture(autouse=True)
def _quietly(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the log of thousands of failures out of the report."""
    caplog.set_level(logging.CRITICAL)


@asynccontextmanager
async def opened(sample: Sample) -> AsyncGenerator[Table]:
    graph = CALL_GRAPHS[sample.name]
    async with Gateway.open(sample, graph) as gateway:
        healthy = await gateway.play(Cell(graph.stages[0], {}), {})
        yield Table(sample, graph, gateway, DOCUMENT, healthy)


def calls(size: int) -> Iterator[object]:
    """Give the calls of each stage of each pipeline, *size* at a time."""
    for sample in SAMPLES:
        for stage in CALL_GRAPHS[sample.name].stages:
            for some in combinations(stage.calls, size):
                names = [call.name for call in some]
                yield pytest.param(sample, names, id=" ".join((sample.name, *names)))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
async def test_nothing_that_befalls_no_call_fails_a_pipeline(sample: Sample) -> None:
    async with opened(sample) as table:
        found = await table.find_violations_in(Cell(stage, {}) for stage in table.graph.stages)

    assert not found, report(found)


@pytest.mark.parametrize(("sample", "names"), [*calls(1)])
async def test_whatever_befalls_a_call_is_answered_as_it_must_be(
    sample: Sample, names: Sequence[str]
) -> None:
    async with opened(sample) as table:
        (call,), stage = table.graph.select(names)
        found = await table.find_violations_in(single_fault_cells(stage, call))

    assert not found, report(found)


@pytest.mark.parametrize(("sample", "names"), [*calls(2)])
async def test_whatever_befalls_two_calls_of_a_stage_is_answered_as_it_must_be(
    sample: Sample, names: Sequence[str]
) -> None:
    async with opened(sample) as table:
        (one, other), stage = table.graph.select(names)
        found = await table.find_violations_in(fault_pair_cells(stage, one, other))

    assert not found, report(found)


@pytest.mark.parametrize(
    "sample", [one for one in SAMPLES if CALL_GRAPHS[one.name].commit], ids=lambda sample: sample.name
)
async def test_nothing_is_written_if_there_is_too_little_time_for_a_commit(sample: Sample) -> None:
    graph = CALL_GRAPHS[sample.name]
    assert graph.commit
    asked = {call.name: range(1, 2) for stage in graph.before(graph.commit) for call in stage.calls}
    expected = ExpectedResult(503, (ExpectedFailure(503, None),), attempts=asked)
    async with opened(sample) as table:
        played = await table.gateway.play(Cell(graph.commit, {}), {}, {"X-Request-Timeout-Ms": "499"})
        found = [*table.find_violations(played, expected)]

    assert not found, report(found)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
async def test_nothing_is_declared_but_what_comes_of_a_cell_or_has_a_reason(sample: Sample) -> None:
    async with opened(sample) as table:
        success = table.document.success_of(sample.method, sample.route)
        declared = table.document.statuses(sample.method, sample.route)
        came = [
            expect_result(table.graph, cell, success)
            for cell in (Cell(table.graph.stages[0], {}), *cells(table.graph))
        ]

    reached = {expected.status for expected in came} | {202 for expected in came if expected.outlasts}
    assert {*declared} == {*reached, *OWN, *(OF_BODIES if sample.body else ()), *OF_PIPELINES[sample.name]}


def report(found: Sequence[str]) -> str:
    """Say what does not hold, as far as anybody will read it."""
    return "\n".join((f"{len(found)} complaints", *found[:20]))
