"""What a pipeline does, stage by stage."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, final

from gateway.railway import CommitPolicy, Failure, Policy

__all__ = ("Kind", "Need", "Plan", "PlannedCall", "PlannedStage", "Step")


class Kind(Enum):
    """What a call does to its service."""

    READ = "read"
    WRITE = "write"
    NOTHING = "nothing"
    """It asks no service: its value is known, or it is made of the calls that it goes on with."""


class Need(Enum):
    """What becomes of the answer without the call."""

    REQUIRED = "required"
    """There is none."""

    OPTIONAL = "optional"
    """It does without, and says so."""

    BEST_EFFORT = "best effort"
    """The same, of a write after the commit: neither journalled nor undone."""


@final
@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call of a stage: the service's operation *name*, and what it goes on with *then*, step by step.

    *undo* takes a write back. *refusals* are what the service declares; every call can fail as
    `UpstreamFault` says besides. Where it *is_shaped*, the pipeline makes something else of what it is given,
    and may find fault with it.
    """

    name: str
    kind: Kind = Kind.READ
    need: Need = Need.REQUIRED
    undo: str | None = None
    refusals: tuple[type[Failure], ...] = ()
    then: "tuple[Step, ...]" = ()
    is_shaped: bool = False


@final
@dataclass(frozen=True, slots=True)
class PlannedStage:
    """Calls that are made together; *name* and *policy* are None for one that is made outside any stage.

    The *policy* of a commit is its `CommitPolicy`.
    """

    name: str | None
    policy: Policy | CommitPolicy | None
    calls: tuple[PlannedCall, ...]
    is_after_commit: bool = False


Step: TypeAlias = PlannedCall | PlannedStage
"""What is done before what follows it."""


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """What the pipeline *name* does; *summary* is the first line of its docstring."""

    name: str
    summary: str
    stages: tuple[PlannedStage, ...]

    @property
    def calls(self) -> tuple[PlannedCall, ...]:
        """Give every call of a service, in the order in which the pipeline names them."""
        return tuple(call for step in self.stages for call in _calls(step) if call.kind is not Kind.NOTHING)


def _calls(step: Step) -> tuple[PlannedCall, ...]:
    if isinstance(step, PlannedStage):
        return tuple(call for one in step.calls for call in _calls(one))
    return (step, *(call for one in step.then for call in _calls(one)))
