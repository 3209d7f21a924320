"""Call graph of a pipeline: its stages and calls, as discovered by running it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

__all__ = ("CallGraph", "CallSpec", "Kind", "Stage", "UndoSpec")

Kind: TypeAlias = Literal["needed", "optional", "write"]
"""The role of a call in its stage."""


@final
@dataclass(frozen=True, slots=True)
class UndoSpec:
    """The undo of a write: a *method* request for *path*, to which the key of the write is appended."""

    name: str
    method: str
    path: str


@final
@dataclass(frozen=True, slots=True)
class CallSpec:
    """A call: its *place* in the stage, its request, and its *declared* 4xx statuses.

    *is_write* is True if the request has an idempotency key, which best-effort writes have too.
    """

    name: str
    place: int
    kind: Kind
    method: str
    path: str
    is_write: bool
    undo: UndoSpec | None
    declared: tuple[int, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Stage:
    """Calls that are made concurrently, or in sequence if the policy is `in order`."""

    name: str
    policy: str
    calls: tuple[CallSpec, ...]

    @property
    def is_commit(self) -> bool:
        return any(call.kind == "write" for call in self.calls)


@final
@dataclass(frozen=True, slots=True)
class CallGraph:
    """The stages of a pipeline."""

    name: str
    stages: tuple[Stage, ...]

    @property
    def calls(self) -> Sequence[CallSpec]:
        return tuple(call for stage in self.stages for call in stage.calls)

    @property
    def commit(self) -> Stage | None:
        return next((stage for stage in self.stages if stage.is_commit), None)

    def select(self, names: Sequence[str]) -> tuple[Sequence[CallSpec], Stage]:
        """Return the calls with these names, and their stage."""
        (stage,) = (stage for stage in self.stages if names[0] in {call.name for call in stage.calls})
        return [call for call in stage.calls if call.name in names], stage

    def before(self, stage: Stage) -> Iterator[Stage]:
        """Yield the stages before *stage*."""
        yield from self.stages[: self.stages.index(stage)]
