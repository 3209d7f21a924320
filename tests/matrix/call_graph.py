"""What a pipeline calls, and when: all that can be found out by running it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

__all__ = ("Called", "Kind", "Shape", "Stage", "Undone")

Kind: TypeAlias = Literal["needed", "optional", "write"]
"""What a call is to its stage."""


@final
@dataclass(frozen=True, slots=True)
class Undone:
    """The undo of a write: the request is *method* to *path*, followed by the write's key."""

    name: str
    method: str
    path: str


@final
@dataclass(frozen=True, slots=True)
class Called:
    """One call: its *place* in its stage, its request, and the statuses that are *declared* for it."""

    name: str
    place: int
    kind: Kind
    method: str
    path: str
    is_write: bool
    undo: Undone | None
    declared: tuple[int, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Stage:
    """Calls that are made together, or in the order of a commit."""

    name: str
    policy: str
    calls: tuple[Called, ...]

    @property
    def is_commit(self) -> bool:
        return any(call.kind == "write" for call in self.calls)


@final
@dataclass(frozen=True, slots=True)
class Shape:
    """A pipeline, from outside."""

    name: str
    stages: tuple[Stage, ...]

    @property
    def calls(self) -> Sequence[Called]:
        return tuple(call for stage in self.stages for call in stage.calls)

    @property
    def commit(self) -> Stage | None:
        return next((stage for stage in self.stages if stage.is_commit), None)

    def picked(self, names: Sequence[str]) -> tuple[Sequence[Called], Stage]:
        """Give the calls *names*, and the stage that they are in."""
        (stage,) = (stage for stage in self.stages if names[0] in {call.name for call in stage.calls})
        return [call for call in stage.calls if call.name in names], stage

    def before(self, stage: Stage) -> Iterator[Stage]:
        """Give the stages that come before *stage*."""
        yield from self.stages[: self.stages.index(stage)]
