"""The plan of a pipeline: its stages and their calls."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, final

from gateway.railway import CommitPolicy, Failure, Policy

__all__ = ("Kind", "Need", "Plan", "PlannedCall", "PlannedStage", "Step", "walk_required_calls")


class Kind(Enum):
    """Kind of a call: its effect on the state of its service."""

    READ = "read"
    WRITE = "write"
    NOTHING = "nothing"
    """Not sent: the value is known, or the call consists of the calls in `then`."""


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
    """Argument of a stage: the call *name* (`service.operation`).

    - *undo*: name of the undo of a write, None if there is no undo
    - *refusals*: classes of the failures that the call declares, besides `UpstreamFault`
    - *then*: steps that are bound to the call, and start when it has ended
    - *is_shaped*: True if the pipeline transforms or checks the value of a required read, and so can make the
      call fail
    - *service*: registered name of the call's service, None if unknown
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
    """A stage or a commit; the *policy* of a commit is a `CommitPolicy`.

    A call outside any stage is planned as a stage of its own, whose *name* and *policy* are None.

    *at_once* is the limit of concurrent calls of a stage that makes its calls for each item of a list, else
    None. The *calls* of such a stage are the different calls: usually one, which is made for every item.
    """

    name: str | None
    policy: Policy | CommitPolicy | None
    calls: tuple[PlannedCall, ...]
    is_after_commit: bool = False
    at_once: int | None = None


Step: TypeAlias = PlannedCall | PlannedStage
"""Call or stage in a sequence: each step starts when the step before it has ended."""


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of the pipeline *name*; *summary* is the first line of its docstring."""

    name: str
    summary: str
    stages: tuple[PlannedStage, ...]

    @property
    def has_commit(self) -> bool:
        """True if the pipeline commits."""
        return any(isinstance(stage.policy, CommitPolicy) for stage in self.stages)

    @property
    def has_list(self) -> bool:
        """True if a stage makes its calls for each item of a list, so that their number is unknown."""
        return any(map(_has_list, self.stages))

    @property
    def calls(self) -> tuple[PlannedCall, ...]:
        """Return every call that sends a request, in argument order; bound calls follow their call."""
        return tuple(
            call for step in self.stages for call in _calls_of(step) if call.kind is not Kind.NOTHING
        )

    @property
    def required_calls(self) -> tuple[PlannedCall, ...]:
        """Return the calls that are required, in the same order, with those that send nothing."""
        return tuple(call for stage in self.stages for call in walk_required_calls(stage))


def walk_required_calls(step: Step) -> Iterator[PlannedCall]:
    """Yield the calls of *step* that are required: if one fails, the run fails."""
    if isinstance(step, PlannedStage):
        for call in step.calls:
            yield from walk_required_calls(call)
    elif step.need is Need.REQUIRED:
        yield step
        for then in step.then:
            yield from walk_required_calls(then)


def _has_list(step: Step) -> bool:
    if isinstance(step, PlannedStage):
        return step.at_once is not None or any(map(_has_list, step.calls))
    return any(map(_has_list, step.then))


def _calls_of(step: Step) -> tuple[PlannedCall, ...]:
    if isinstance(step, PlannedStage):
        return tuple(call for planned in step.calls for call in _calls_of(planned))
    return (step, *(call for later in step.then for call in _calls_of(later)))
