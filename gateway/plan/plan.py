"""The plan of a pipeline: its stages and their calls."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, final

from gateway.railway import CommitPolicy, Failure, Policy

__all__ = ("Kind", "Need", "Plan", "PlannedCall", "PlannedStage", "Step")


class Kind(Enum):
    """Kind of a call: whether it changes the state of its service."""

    READ = "read"
    WRITE = "write"
    NOTHING = "nothing"
    """It is not sent: its value is known, or it consists of the calls that follow in `then`."""


class Need(Enum):
    """Effect of a failed call on the run."""

    REQUIRED = "required"
    """The run fails."""

    OPTIONAL = "optional"
    """The run continues, and its answer is degraded: it lacks the value of the call."""

    BEST_EFFORT = "best effort"
    """Like `OPTIONAL`, for a write after the commit, which is neither journalled nor undone."""


@final
@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One argument of a stage: the call *name* (`service.operation`), and the steps *then* bound to it.

    - *service* is the registered name of the call's service, None if unknown
    - *undo* is the name of a write's undo
    - *refusals* are the errors that the service declares, besides `UpstreamFault`, which every call can have
    - *is_shaped* means that the pipeline transforms or checks the value, and so can fail the call itself
    """

    name: str
    kind: Kind = Kind.READ
    need: Need = Need.REQUIRED
    undo: str | None = None
    refusals: tuple[type[Failure], ...] = ()
    then: "tuple[Step, ...]" = ()
    is_shaped: bool = False
    service: str | None = None


@final
@dataclass(frozen=True, slots=True)
class PlannedStage:
    """A stage, or a commit, whose *policy* is a `CommitPolicy`.

    A call outside any stage is a stage of its own, whose *name* and *policy* are None.
    """

    name: str | None
    policy: Policy | CommitPolicy | None
    calls: tuple[PlannedCall, ...]
    is_after_commit: bool = False


Step: TypeAlias = PlannedCall | PlannedStage
"""An element of a sequence: it starts when the step before it has ended."""


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of the pipeline *name*; *summary* is the first line of its docstring."""

    name: str
    summary: str
    stages: tuple[PlannedStage, ...]

    @property
    def has_commit(self) -> bool:
        """Return whether the pipeline commits."""
        return any(isinstance(stage.policy, CommitPolicy) for stage in self.stages)

    @property
    def calls(self) -> tuple[PlannedCall, ...]:
        """Return every call that is sent, in the order in which the pipeline names them."""
        return tuple(
            call for step in self.stages for call in _calls_of(step) if call.kind is not Kind.NOTHING
        )


def _calls_of(step: Step) -> tuple[PlannedCall, ...]:
    if isinstance(step, PlannedStage):
        return tuple(call for planned in step.calls for call in _calls_of(planned))
    return (step, *(call for later in step.then for call in _calls_of(later)))
