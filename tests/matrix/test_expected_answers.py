"""Expected answers of cells, where the shipped pipelines have no example."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pytest

from tests.matrix.call_graph import CallGraph, CallSpec, DeclaredError, Lookup, Stage, UndoSpec
from tests.matrix.cells import Cell
from tests.matrix.expected_answers import expect_result
from tests.matrix.faults import Fault

REFUSED: Final = (409, "insufficient-points")
SPEND: Final = CallSpec(
    "points.spend",
    "points.spend",
    0,
    "needed",
    "GET",
    "/p",
    is_write=False,
    declared=(DeclaredError(404, "not-found"), DeclaredError(409, "conflict", "insufficient-points")),
)
CREATE: Final = CallSpec(
    "tickets.create",
    "tickets.create",
    0,
    "write",
    "POST",
    "/tickets",
    is_write=True,
    undo=UndoSpec(
        "tickets.close", "DELETE", "/tickets/1", Lookup("look-up", "GET", "/tickets", lag=1.0, settling=1.5)
    ),
)
COMMIT: Final = CallGraph("create", (Stage("booking", "in order", (CREATE,)),))
GRAPH: Final = CallGraph("spend", (Stage("one", "settle", (SPEND,)),))


@pytest.mark.parametrize(("status", "code"), [(404, "not-found"), REFUSED])
def test_declared_status_has_code_of_its_error(status: int, code: str) -> None:
    cell = Cell(GRAPH.stages[0], {"points.spend": Fault("refused", "status", status, is_declared=True)})

    assert expect_result(GRAPH, cell, 200).code == code


def test_failure_in_list_has_position_of_its_call() -> None:
    stage = Stage("points", "settle", (SPEND, replace(SPEND, name="points.spend[1]", place=1)), is_list=True)
    cell = Cell(stage, {"points.spend[1]": Fault("500", "status", 500)})
    (part,) = expect_result(CallGraph("spend", (stage,)), cell, 200).parts

    assert (part.source, part.item) == ("points.spend", 1)


@pytest.mark.parametrize(
    ("fault", "names", "seconds"),
    [
        (Fault("500", "status", 500), ["look-up", "tickets.create"], 1.5),
        (Fault("lost", "lost"), ["look-up", "tickets.close", "tickets.create"], 5.0),
        (Fault("lost", "lost", lookup="always"), ["look-up", "tickets.create"], 5.0),
        (Fault("refused", "refused"), ["tickets.create"], 0.0),
    ],
)
def test_undo_looks_up_write_without_answer(fault: Fault, names: Sequence[str], seconds: float) -> None:
    expected = expect_result(COMMIT, Cell(COMMIT.stages[0], {"tickets.create": fault}), 201)

    assert (sorted(expected.attempts), expected.seconds) == (names, seconds)
