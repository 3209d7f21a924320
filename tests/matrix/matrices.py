"""Matrices of the pipelines of all subjects, and the test parameters that select parts of them."""

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Final, final

import pytest

from tests.matrix.call_graph import CallGraph
from tests.matrix.cells import Cell, arrival_orders
from tests.matrix.courier_subject import COURIER
from tests.matrix.discovery import discover_call_graphs
from tests.matrix.expected_answers import ExpectedResult, expect_result
from tests.matrix.gateway_under_test import CellResult, Connect, Gateway, load_document, reach_directly
from tests.matrix.invariants import Case, find_violations
from tests.matrix.openapi_answers import Document
from tests.matrix.shipped_subject import SHIPPED
from tests.matrix.subject import Sample, Subject

__all__ = ("GRAPHS", "Matrix", "format_report", "list_calls", "list_samples", "open_matrix")

SUBJECTS: Final = (COURIER, SHIPPED)  # the longest tests first, for xdist
SAMPLES: Final = [(subject, sample) for subject in SUBJECTS for sample in subject.samples]
GRAPHS: Final = {sample: discover_call_graphs(subject)[sample.name] for subject, sample in SAMPLES}
DOCUMENTS: Final = {subject: load_document(subject) for subject in SUBJECTS}


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


@asynccontextmanager
async def open_matrix(
    subject: Subject, sample: Sample, connect: Connect = reach_directly
) -> AsyncGenerator[Matrix]:
    """Yield the matrix of *sample*; *connect* returns the transport to the services."""
    graph = GRAPHS[sample]
    async with Gateway.open(subject, sample, graph, connect) as gateway:
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


def format_report(found: Sequence[str]) -> str:
    """Return the number of violations, and the first 20 of them."""
    return "\n".join((f"{len(found)} violations", *found[:20]))
