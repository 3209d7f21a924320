"""Expected answers of cells, where the shipped pipelines have no example."""

from typing import Final

import pytest

from tests.matrix.call_graph import CallGraph, CallSpec, Stage
from tests.matrix.cells import Cell
from tests.matrix.expected_answers import expect_result
from tests.matrix.faults import Fault

REFUSED: Final = (409, "insufficient-points")
SPEND: Final = CallSpec(
    "points.spend",
    0,
    "needed",
    "GET",
    "/p",
    is_write=False,
    undo=None,
    declared=(404, 409),
    own_codes=((409, REFUSED),),
)
GRAPH: Final = CallGraph("spend", (Stage("one", "settle", (SPEND,)),))


@pytest.mark.parametrize(("status", "code"), [(404, "not-found"), REFUSED])
def test_declared_status_has_code_of_its_error(status: int, code: str) -> None:
    cell = Cell(GRAPH.stages[0], {"points.spend": Fault("refused", "status", status, is_declared=True)})

    assert expect_result(GRAPH, cell, 200).code == code
