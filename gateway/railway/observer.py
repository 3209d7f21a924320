"""Observer of a run, the spans it receives, and the stub that answers in place of services."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, TypeAlias, final

from gateway.railway.errors import Failure
from gateway.railway.journal import Key
from gateway.railway.result import Result

__all__ = (
    "CONCURRENT",
    "FAIL_FAST",
    "SEQUENTIAL",
    "SETTLE",
    "AttemptEnd",
    "AttemptSpan",
    "CallInfo",
    "CallKind",
    "CallOutcome",
    "CallSpan",
    "CommitPolicy",
    "Observer",
    "Policy",
    "RejectedBy",
    "StageCall",
    "StageSpan",
    "Stub",
    "check_policy",
)


class Policy(Enum):
    """Effect of a failed call on the other calls of its stage.

    Both policies are deterministic: the same answers give the same result, in whatever order they arrive.
    """

    SETTLE = "settle"
    """Every call runs to its end; the stage fails with all failures, combined."""

    FAIL_FAST = "fail fast"
    """A failed call cancels the calls after it in argument order; the first failure in this order counts."""


SETTLE: Final = Policy.SETTLE
FAIL_FAST: Final = Policy.FAIL_FAST


class CommitPolicy(Enum):
    """Order in which a commit makes its steps."""

    SEQUENTIAL = "in order"
    """Each step starts when the step before it has succeeded; after a failure, no later step is sent."""

    CONCURRENT = "parallel"
    """All steps start at once, and all are awaited."""


SEQUENTIAL: Final = CommitPolicy.SEQUENTIAL
CONCURRENT: Final = CommitPolicy.CONCURRENT


def check_policy(policy: object, expected: type[Policy | CommitPolicy]) -> None:
    """Raise `TypeError` unless *policy* is one of the *expected*."""
    if not isinstance(policy, expected):
        names = " or ".join(known.name for known in expected)
        msg = f"policy must be {names}, got {policy!r}"
        raise TypeError(msg)


class CallKind(Enum):
    """Effect of a call on its service."""

    READ = "read"
    WRITE = "write"
    UNDO = "undo"


class CallInfo(Protocol):
    """Facts about a call or a write that are known without making it."""

    @property
    def service(self) -> str:
        """Return the registered name of the service, as in messages to callers."""
        ...

    @property
    def example(self) -> object:
        """Return a typical value of the call; raises `LookupError` if there is none."""

    @property
    def refusals(self) -> tuple[type[Failure], ...]:
        """Return the classes of the failures that the call declares, besides `UpstreamFault`."""
        ...


# The spans are not frozen: a frozen dataclass takes three to four times as long to create, and these are
# created for every call (https://docs.python.org/3/library/dataclasses.html#frozen-instances).


@final
@dataclass(slots=True)
class StageCall:
    """Argument of a stage or a commit.

    - *is_optional*: True if the argument cannot fail its stage
    - *is_shaped*: True if the argument is derived from another call or write, or is a constant
    - *is_write*: True if the argument is a write of a commit
    """

    name: str
    is_optional: bool = False
    is_shaped: bool = False
    is_write: bool = False


@final
@dataclass(slots=True, eq=False)
class StageSpan:
    """Stage or commit of a run: its name, its calls in argument order, and its policy.

    *at_once* is the limit of concurrent calls if the calls are those of a list (`Run.each`), else None.
    """

    name: str
    calls: tuple[StageCall, ...]
    policy: Policy | CommitPolicy
    at_once: int | None = None


@final
@dataclass(slots=True, eq=False)
class CallSpan:
    """Call of a service: a read, a write or an undo.

    *stage* is None for a call that is awaited outside any stage; *undo* is the name of a write's undo. A
    commit repeats writes and undos: each time is a call of its own, with the same *key*.
    """

    name: str
    stage: StageSpan | None
    kind: CallKind = CallKind.READ
    info: CallInfo | None = None
    undo: str | None = None
    key: Key | None = None


CallOutcome: TypeAlias = Result[object, Failure] | BaseException
"""End of a call or a stage: a result or an exception.

`asyncio.CancelledError` is a cancellation, and `RunExit` the exit of the run with a failure. Any other
exception is a bug.
"""


class RejectedBy(Enum):
    """Policy that has kept an attempt from being sent."""

    BREAKER = "circuit breaker"
    LIMIT = "concurrency limit"
    DEADLINE = "deadline"


AttemptEnd: TypeAlias = CallOutcome | RejectedBy
"""End of an attempt: that of a call, or the policy that has rejected the attempt."""


@final
@dataclass(slots=True, eq=False)
class AttemptSpan:
    """Attempt of a *call*: one request to its service, or none if a policy rejects the attempt.

    *number* counts the attempts of a request, from 1. A call in chunks makes several requests.
    """

    call: CallSpan
    number: int


Stub: TypeAlias = Callable[[CallSpan], Result[object, Failure] | None]
"""Function that answers a call in place of its service, or returns None to let the service answer.

Results must have the type of the call: they are not checked.
"""


class Observer:
    """Observer of the stages, calls and attempts of a run, notified synchronously in the run's thread.

    The start and the end of a span are notified with the same object, so that two calls of the same name can
    be distinguished. Each call of a service is observed once; calls that are derived from it are not. The
    methods must not raise: an exception would break the run. These ignore everything: a subclass overrides
    those that it needs. It is notified of attempts only if it *observes_attempts*: that takes time for every
    call.
    """

    observes_attempts: bool = False

    def stage_started(self, stage: StageSpan, /) -> None:
        """Note that the calls of *stage* are about to start."""

    def stage_ended(self, stage: StageSpan, outcome: CallOutcome, /) -> None:
        """Note that *stage* ended with *outcome*, and that every call of it has ended."""

    def call_started(self, call: CallSpan, /) -> None:
        """Note that *call* is about to be made."""

    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        """Note that *call* ended with *outcome*."""

    def attempt_started(self, attempt: AttemptSpan, /) -> None:
        """Note that *attempt* is about to be made; it may have to wait for the concurrency limit."""

    def attempt_sent(self, attempt: AttemptSpan, /) -> None:
        """Note that the policies have admitted *attempt*, whose request is about to be sent."""

    def attempt_ended(self, attempt: AttemptSpan, end: AttemptEnd, /) -> None:
        """Note that *attempt* ended with *end*; if that is a `RejectedBy`, nothing was sent."""
