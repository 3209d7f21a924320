"""What belongs to the request rather than to the pipeline, and travels beside it."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, final

from gateway.railway.errors import Failure
from gateway.railway.journal import UNRECORDED, Journal
from gateway.railway.result import Result

if TYPE_CHECKING:
    from gateway.railway.call import Call
    from gateway.railway.commit import CommitPolicy
    from gateway.railway.stage import Policy
    from gateway.railway.write import Step, Undo, Write

__all__ = (
    "RUN_CONTEXT",
    "UNOBSERVED",
    "CallMode",
    "CallSpan",
    "CommitTerms",
    "Observer",
    "Outcome",
    "RunContext",
    "StageSpan",
    "Stub",
)

Outcome: TypeAlias = Result[object, Failure] | BaseException
"""How a call ended: a result, `asyncio.CancelledError` if it was cancelled, else a bug."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class StageSpan:
    """One stage being run: its name and those of its calls, in argument order.

    *steps* are the calls themselves, and *policy* is how the stage makes them: of a commit, the order.
    """

    name: str
    calls: tuple[str, ...]
    steps: "tuple[Step[object, Failure], ...]" = ()
    policy: "Policy | CommitPolicy | None" = None


@final
@dataclass(frozen=True, slots=True, eq=False)
class CallSpan:
    """One call being made; *stage* is None for a call that is awaited outside any stage.

    *leaf* is what is made of it: a call that asks a service itself, a write, or an undo.
    """

    name: str
    stage: StageSpan | None
    leaf: "Call[object, Failure] | Write[object, Failure] | Undo | None" = None


Stub: TypeAlias = Callable[[CallSpan], Result[object, Failure] | None]
"""Answers in the place of services, call by call: with examples, or with what is on record of a run.

A call that it gives None for is made. What it gives must be of the type that the call gives.
"""


class Observer(Protocol):
    """Hears what a run does, as it does it, on the run's own thread.

    The span that starts and the one that ends are the same object, so that two calls of one name can be
    told apart. Only the calls to services are told, once each, however they are shaped. An observer that
    raises breaks the run.
    """

    def stage_started(self, stage: StageSpan, /) -> None:
        """Hear that the calls of *stage* are about to start."""

    def stage_ended(self, stage: StageSpan, /) -> None:
        """Hear that every call of *stage* has ended."""

    def call_started(self, call: CallSpan, /) -> None:
        """Hear that *call* is about to be made."""

    def call_ended(self, call: CallSpan, outcome: Outcome, /) -> None:
        """Hear how *call* ended."""


@final
class _Nobody:
    def stage_started(self, stage: StageSpan, /) -> None:
        """Look away."""

    def stage_ended(self, stage: StageSpan, /) -> None:
        """Look away."""

    def call_started(self, call: CallSpan, /) -> None:
        """Look away."""

    def call_ended(self, call: CallSpan, outcome: Outcome, /) -> None:
        """Look away."""


UNOBSERVED: Final[Observer] = _Nobody()
"""Hears nothing."""


class CallMode(Enum):
    """How much whoever makes calls to a service may do for one, and whether it may decline to make it."""

    NORMAL = "usual"
    """It may be made again if it fails, and not be made where it would do harm."""

    SEND_ONCE = "send once"
    """The same, but what has been sent is not sent again: who makes the call wants to hear of it first."""

    BYPASS_POLICIES = "regardless"
    """It is made, once, whatever there is to say against it."""


@final
@dataclass(frozen=True, slots=True)
class CommitTerms:
    """How a run commits, in seconds: see `commit`.

    It begins only if *reserve* is left of the run's deadline. Its writes have *budget* in all, the repeats of
    those included of which nobody knows what came; undoing them has *undo_budget* in all.
    """

    journal: Journal = UNRECORDED
    reserve: float = 0.5
    budget: float = 10.0
    undo_budget: float = 30.0


_TERMS: Final = CommitTerms()


@final
@dataclass(frozen=True, slots=True)
class RunContext:
    """What a run is given from outside; by default nothing, as in a test or a script.

    *deadline* is an instant on the running loop's clock (`loop.time()`, in seconds) to which whoever makes
    a call clips its time; *optional_budget* is how many seconds an optional call has in all; *baggage* is
    what every call passes on with its request, by header name. *execution_id* is what a commit of the run is
    known by; without, the run makes one. *key_prefix* is what the keys of its writes begin with, by default
    the execution's id. *stub* answers in the place of services. *stage* is set by the stage itself,
    *is_optional* by an optional call, *mode* by a commit, and *is_in_run* by the run.
    """

    deadline: float | None = None
    optional_budget: float | None = None
    observer: Observer | None = None
    baggage: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    execution_id: str | None = None
    key_prefix: str | None = None
    commits: CommitTerms = _TERMS
    stage: StageSpan | None = None
    stub: Stub | None = None
    is_optional: bool = False
    mode: CallMode = CallMode.NORMAL
    is_in_run: bool = False


RUN_CONTEXT: Final = ContextVar("RUN_CONTEXT", default=RunContext())  # noqa: B039 - it is frozen
"""The context of the run that is going on: the only thing the railway reads from outside."""
