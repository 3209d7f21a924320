"""Every cell of the failure matrix."""

from collections.abc import Mapping, Sequence
from typing import Final

import pytest

from tests.matrix.cells import Cell, cells, fault_pair_cells, single_fault_cells
from tests.matrix.expected_answers import ExpectedFailure, ExpectedResult, expect_result
from tests.matrix.matrices import GRAPHS, format_report, list_calls, list_samples, open_matrix
from tests.matrix.subject import Sample, Subject

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
