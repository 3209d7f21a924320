"""The cells of the matrix: which faults are there at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Final, final

from typing_extensions import override

from tests.matrix.call_graph import Called, Shape, Stage
from tests.matrix.faults import Fault, faults_of

__all__ = ("Cell", "arrivals", "cells", "pairs", "singles")

_TWO: Final = 2


@final
@dataclass(frozen=True)
class Cell:
    """Faults of one call, or of two in one *stage*, by call."""

    stage: Stage
    faults: Mapping[str, Fault]

    @override
    def __str__(self) -> str:
        return "; ".join(f"{name}: {fault.title}" for name, fault in self.faults.items())


def cells(shape: Shape) -> Iterator[Cell]:
    """Give every cell of a pipeline."""
    for stage in shape.stages:
        for call in stage.calls:
            yield from singles(stage, call)
        for call, other in combinations(stage.calls, 2):
            yield from pairs(stage, call, other)


def singles(stage: Stage, call: Called) -> Iterator[Cell]:
    """Give the cells in which only *call* is at fault."""
    for fault in faults_of(call):
        yield Cell(stage, {call.name: fault})


def pairs(stage: Stage, call: Called, other: Called) -> Iterator[Cell]:
    """Give the cells in which both are."""
    for one, two in product(_sociable(call), _sociable(other)):
        yield Cell(stage, {call.name: one, other.name: two})


def arrivals(stage: Stage) -> Mapping[str, Mapping[str, float]]:
    """Give at least three orders in which the answers of *stage* can arrive: the seconds that each takes."""
    count = len(stage.calls)
    ranks: dict[str, Sequence[int]] = {
        "in order": range(count),
        "backwards": range(count)[::-1],
        "at once": (0,) * count,
    }
    if count > _TWO:  # for two calls that is backwards
        ranks["the first one last"] = (count - 1, *range(count - 1))
    return {
        name: {call.name: 0.01 * (1 + rank) for call, rank in zip(stage.calls, order, strict=True)}
        for name, order in ranks.items()
    }


def _sociable(call: Called) -> Iterator[Fault]:
    return (fault for fault in faults_of(call) if not fault.is_played_alone)
