"""The single faults of the failure matrix, as bytes on connections, by each transport."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest

from gateway.client.transport import TransportName, choose_transport
from tests.matrix.cells import Cell, single_fault_cells
from tests.matrix.matrices import Matrix, format_report, list_calls, list_samples, open_matrix
from tests.matrix.sockets.network import Network
from tests.matrix.subject import Sample, Subject

pytestmark = pytest.mark.parametrize("transport", ["http1", "httpx"])


@asynccontextmanager
async def open_connected_matrix(
    subject: Subject, sample: Sample, transport: TransportName
) -> AsyncGenerator[Matrix]:
    async with (
        choose_transport(transport) as connected,
        open_matrix(subject, sample, lambda services: Network(services, connected)) as matrix,
    ):
        yield matrix


@pytest.mark.parametrize(("subject", "sample"), [*list_samples()])
async def test_connected_healthy_pipeline_violates_no_invariant(
    subject: Subject, sample: Sample, transport: TransportName
) -> None:
    async with open_connected_matrix(subject, sample, transport) as matrix:
        found = await matrix.find_violations_in(Cell(stage, {}) for stage in matrix.graph.stages)

    assert not found, format_report(found)


@pytest.mark.parametrize(("subject", "sample", "names"), [*list_calls(1)])
async def test_connected_single_fault_violates_no_invariant(
    subject: Subject, sample: Sample, names: Sequence[str], transport: TransportName
) -> None:
    async with open_connected_matrix(subject, sample, transport) as matrix:
        (call,), stage = matrix.graph.select(names)
        found = await matrix.find_violations_in(single_fault_cells(stage, call))

    assert not found, format_report(found)
