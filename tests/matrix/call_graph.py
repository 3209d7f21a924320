"""Call graph of a pipeline: its stages and calls, as discovered by running it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

__all__ = ("CallGraph", "CallSpec", "DeclaredError", "Kind", "Lookup", "Stage", "UndoSpec")

Kind: TypeAlias = Literal["needed", "optional", "write"]
"""The role of a call in its stage."""


@final
@dataclass(frozen=True, slots=True)
class Lookup:
    """Look-up of a write by its key, by a *method* request for *path*.

    It finds a write after *lag* seconds. A write that is absent *settling* seconds after it was last sent
    never takes effect.
    """

    name: str
    method: str
    path: str
    lag: float
    settling: float


@final
@dataclass(frozen=True, slots=True)
class UndoSpec:
    """The undo of a write: a *method* request for *path*, to which the key of the write may be appended.

    An undo that needs the answer of the write has a *lookup*, which is made if the answer was lost.
    """

    name: str
    method: str
    path: str
    lookup: Lookup | None = None


@final
@dataclass(frozen=True, slots=True)
class DeclaredError:
    """The error of a call if its service sends *status*: its *family*, and its own *code* if it has one.

    The status is 200 for a response without results (an empty list). The *detail* is None if the service
    sends it.
    """

    status: int
    family: str
    own_code: str | None = None
    detail: str | None = None


@final
@dataclass(frozen=True, slots=True)
class CallSpec:
    """A call: its *place* in the stage, its request, and its *declared* errors.

    *source* is the name of the call in problems. *name* has a number too if the pipeline makes several calls
    with this name; *content*, the query and the body of the request, distinguishes them then. *is_write* is
    True if the request has an idempotency key, which best-effort writes have too.
    """

    name: str
    source: str
    place: int
    kind: Kind
    method: str
    path: str
    is_write: bool
    undo: UndoSpec | None = None
    content: str | None = None
    has_body: bool = True
    declared: tuple[DeclaredError, ...] = ()

    @property
    def declared_statuses(self) -> Sequence[int]:
        """Return the declared 4xx statuses."""
        return [error.status for error in self.declared if error.status >= 400]

    @property
    def is_empty_declared(self) -> bool:
        """Return whether the call fails if the service sends an empty list."""
        return len(self.declared_statuses) < len(self.declared)

    def find_declared(self, status: int) -> DeclaredError:
        """Return the declared error for *status*."""
        (found,) = (error for error in self.declared if error.status == status)
        return found


@final
@dataclass(frozen=True, slots=True)
class Stage:
    """Calls that are made concurrently, or in sequence if the policy is `in order`.

    A call that the pipeline awaits without a stage is a stage of its own. If the calls are those of
    a list, problems have the position of the item.
    """

    name: str
    policy: str
    calls: tuple[CallSpec, ...]
    is_list: bool = False

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
    def undos(self) -> Sequence[UndoSpec]:
        return [call.undo for call in self.calls if call.undo is not None]

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
