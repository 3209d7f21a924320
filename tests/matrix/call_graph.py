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
    """The undo of a write: a *method* request for *path*, to which a key or an id may be appended.

    *find* is the method and the path of the look-up of the write's answer, None if the undo needs only the
    key. It finds a write only *lag* seconds after the write took effect. If it finds nothing, the write
    counts as undone after *settling* seconds.
    """

    name: str
    method: str
    path: str
    find: tuple[str, str] | None = None
    settling: float = 0.0
    lag: float = 0.0

    @property
    def find_name(self) -> str:
        return f"{self.name}: look-up"


@final
@dataclass(frozen=True, slots=True)
class CallSpec:
    """A call: its *place* in the stage, its request, and its *declared* 4xx statuses.

    The *name* is unique in the pipeline, unlike that of the *operation*. *item* is the position of the item
    of a list for which the call is made. *is_write* is True if the request has an idempotency key, which
    best-effort writes have too. *own_codes* has the status and the code of each declared status that becomes
    an error with a code of its own.
    """

    name: str
    place: int
    kind: Kind
    method: str
    path: str
    is_write: bool
    undo: UndoSpec | None
    declared: tuple[int, ...] = ()
    own_codes: tuple[tuple[int, tuple[int, str]], ...] = ()
    operation: str = ""
    query: bytes = b""
    item: int | None = None

    @property
    def source(self) -> str:
        return self.operation or self.name


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
