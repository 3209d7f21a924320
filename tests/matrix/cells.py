"""Cells of the matrix: combinations of faults."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Final, final

from typing_extensions import override

from tests.matrix.call_graph import CallGraph, CallSpec, Stage
from tests.matrix.faults import Fault, faults_of

__all__ = ("Cell", "arrival_orders", "cells", "fault_pair_cells", "single_fault_cells")

_TWO: Final = 2


@final
@dataclass(frozen=True)
class Cell:
    """The faults of a call, or of two calls of the same *stage*, by name of the call."""

    stage: Stage
    faults: Mapping[str, Fault]

    @override
    def __str__(self) -> str:
        return "; ".join(f"{name}: {fault.title}" for name, fault in self.faults.items())


def cells(graph: CallGraph) -> Iterator[Cell]:
    """Yield every cell of a pipeline."""
    for stage in graph.stages:
        for call in stage.calls:
            yield from single_fault_cells(stage, call)
        for call, other in combinations(stage.calls, 2):
            yield from fault_pair_cells(stage, call, other)


def single_fault_cells(stage: Stage, call: CallSpec) -> Iterator[Cell]:
    """Yield the cells in which only *call* has a fault."""
    for fault in faults_of(call):
        yield Cell(stage, {call.name: fault})


def fault_pair_cells(stage: Stage, call: CallSpec, other: CallSpec) -> Iterator[Cell]:
    """Yield the cells in which both calls have a fault, except faults that are `is_alone_only`."""
    for fault, other_fault in product(_list_combinable_faults(call), _list_combinable_faults(other)):
        yield Cell(stage, {call.name: fault, other.name: other_fault})


def arrival_orders(stage: Stage) -> Mapping[str, Mapping[str, float]]:
    """Return three or four orders in which the responses to the calls of *stage* can arrive, by name.

    An order maps the name of each call to its latency in seconds.
    """
    count = len(stage.calls)
    ranks: dict[str, Sequence[int]] = {
        "in order": range(count),
        "reversed": range(count)[::-1],
        "at once": (0,) * count,
    }
    if count > _TWO:  # with two calls this equals "reversed"
        ranks["first call last"] = (count - 1, *range(count - 1))
    return {
        name: {call.name: 0.01 * (1 + rank) for call, rank in zip(stage.calls, order, strict=True)}
        for name, order in ranks.items()
    }


def _list_combinable_faults(call: CallSpec) -> Iterator[Fault]:
    return (fault for fault in faults_of(call) if not fault.is_alone_only)
