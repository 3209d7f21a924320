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
from tests.matrix.courier_subject import COURIER
from tests.matrix.discovery import discover_call_graphs
from tests.matrix.expected_answers import ExpectedFailure, ExpectedResult, expect_result
from tests.matrix.gateway_under_test import CellResult, Gateway, load_document
from tests.matrix.invariants import Case, find_violations
from tests.matrix.openapi_answers import Document
from tests.matrix.shipped_subject import SHIPPED
from tests.matrix.subject import Sample, Subject

SUBJECTS: Final = (COURIER, SHIPPED)  # the longest tests first, for xdist
SAMPLES: Final = [(subject, sample) for subject in SUBJECTS for sample in subject.samples]
GRAPHS: Final = {sample: discover_call_graphs(subject)[sample.name] for subject, sample in SAMPLES}
DOCUMENTS: Final = {subject: load_document(subject) for subject in SUBJECTS}

ROUTE_STATUSES: Final[Mapping[int, str]] = {
    400: "a header is invalid",
    408: "the body does not arrive in time",
    413: "the body is too large, even if the route has no body",
    422: "an argument is invalid",
    429: "the client exceeds the configured rate limit",
    500: "an unexpected exception is raised",
}
"""Statuses that a route returns by itself, with the reasons."""

BODY_STATUSES: Final[Mapping[int, str]] = {415: "the body is not declared as JSON"}
PIPELINE_STATUSES: Final[Mapping[str, Mapping[int, str]]] = {
    "purchases": {403: "the token belongs to another user, as the pipeline finds in a response"}
}


@final
@dataclass(frozen=True)
class Matrix:
    """The matrix of a pipeline, with a gateway that runs its cells."""

    sample: Sample
    graph: CallGraph
    gateway: Gateway
    document: Document
    healthy: CellResult

    async def find_violations_in(self, cells: Iterable[Cell]) -> Sequence[str]:
        """Run *cells* in every order of arrival, and return the violations."""
        return [violation for cell in cells for violation in await self._run(cell)]

    async def _run(self, cell: Cell) -> Sequence[str]:
        success = self.document.success_of(self.sample.method, self.sample.route.path)
        expected = expect_result(self.graph, cell, success)
        found: list[str] = []
        orders: dict[str, str] = {}
        for order, latencies in arrival_orders(cell.stage).items():
            result = await self.gateway.run(cell, latencies)
            orders[result.fingerprint] = order
            found += [
                f"{cell} ({order}): {violation}" for violation in self.find_violations(result, expected)
            ]
        found += [
            f"{cell}: the circuit breaker of {name} is not closed"
            for name in await self.gateway.find_open_breakers()
        ]
        if len(orders) > 1:
            found.append(f"{cell}: different responses ({', '.join(orders.values())}): {[*orders]}")
        return found

    def find_violations(self, result: CellResult, expected: ExpectedResult) -> Iterator[str]:
        return find_violations(Case(self.sample, self.graph, self.document, self.healthy, result, expected))


@pytest.fixture(autouse=True)
def _quiet_log(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the log of thousands of failures out of the report."""
    caplog.set_level(logging.CRITICAL)


@asynccontextmanager
async def open_matrix(subject: Subject, sample: Sample) -> AsyncGenerator[Matrix]:
    graph = GRAPHS[sample]
    async with Gateway.open(subject, sample, graph) as gateway:
        healthy = await gateway.run(Cell(graph.stages[0], {}), {})
        yield Matrix(sample, graph, gateway, DOCUMENTS[subject], healthy)


def list_calls(size: int) -> Iterator[object]:
    """Yield a test parameter for each combination of *size* calls in the same stage, for all pipelines."""
    for subject, sample in SAMPLES:
        for stage in GRAPHS[sample].stages:
            for combined in combinations(stage.calls, size):
                names = [call.name for call in combined]
                yield pytest.param(subject, sample, names, id=" ".join((sample.name, *names)))


def list_samples(*, with_commit: bool = False) -> Iterator[object]:
    """Yield a test parameter for each pipeline, or for each one with a commit."""
    for subject, sample in SAMPLES:
        if not with_commit or GRAPHS[sample].commit:
            yield pytest.param(subject, sample, id=sample.name)


@pytest.mark.parametrize(("subject", "sample"), [*list_samples()])
async def test_healthy_pipeline_violates_no_invariant(subject: Subject, sample: Sample) -> None:
    async with open_matrix(subject, sample) as matrix:
        found = await matrix.find_violations_in(Cell(stage, {}) for stage in matrix.graph.stages)

    assert not found, format_report(found)


@pytest.mark.parametrize(("subject", "sample", "names"), [*list_calls(1)])
async def test_single_fault_violates_no_invariant(
    subject: Subject, sample: Sample, names: Sequence[str]
) -> None:
    async with open_matrix(subject, sample) as matrix:
        (call,), stage = matrix.graph.select(names)
        found = await matrix.find_violations_in(single_fault_cells(stage, call))

    assert not found, format_report(found)


@pytest.mark.parametrize(("subject", "sample", "names"), [*list_calls(2)])
async def test_fault_pair_violates_no_invariant(
    subject: Subject, sample: Sample, names: Sequence[str]
) -> None:
    async with open_matrix(subject, sample) as matrix:
        (call, other), stage = matrix.graph.select(names)
        found = await matrix.find_violations_in(fault_pair_cells(stage, call, other))

    assert not found, format_report(found)


@pytest.mark.parametrize(("subject", "sample"), [*list_samples(with_commit=True)])
async def test_short_timeout_prevents_commit(subject: Subject, sample: Sample) -> None:
    graph = GRAPHS[sample]
    assert graph.commit
    attempts = {call.name: range(1, 2) for stage in graph.before(graph.commit) for call in stage.calls}
    expected = ExpectedResult(503, (ExpectedFailure(503, None),), attempts=attempts)
    async with open_matrix(subject, sample) as matrix:
        result = await matrix.gateway.run(Cell(graph.commit, {}), {}, {"X-Request-Timeout-Ms": "499"})
        found = [*matrix.find_violations(result, expected)]

    assert not found, format_report(found)


@pytest.mark.parametrize(("subject", "sample"), [*list_samples()])
async def test_route_declares_exactly_its_reachable_statuses(subject: Subject, sample: Sample) -> None:
    """A route declares the statuses of its cells and those in the three mappings above, and no others."""
    async with open_matrix(subject, sample) as matrix:
        success = matrix.document.success_of(sample.method, sample.route.path)
        declared = matrix.document.statuses(sample.method, sample.route.path)
        results = [
            expect_result(matrix.graph, cell, success)
            for cell in (Cell(matrix.graph.stages[0], {}), *cells(matrix.graph))
        ]

    reached = {expected.status for expected in results} | {202 for expected in results if expected.outlasts}
    assert {*declared} == {
        *reached,
        *ROUTE_STATUSES,
        *(BODY_STATUSES if sample.body else ()),
        *PIPELINE_STATUSES.get(sample.name, {}),
    }


def format_report(found: Sequence[str]) -> str:
    """Return the number of violations, and the first 20 of them."""
    return "\n".join((f"{len(found)} violations", *found[:20]))
