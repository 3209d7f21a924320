"""Observer of a run, the spans it receives, and the stub that answers in place of services."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, TypeAlias, TypeVar, cast, final

from gateway.railway.errors import Failure
from gateway.railway.result import Attempt, Result

__all__ = (
    "CONCURRENT",
    "FAIL_FAST",
    "SEQUENTIAL",
    "SETTLE",
    "CallInfo",
    "CallKind",
    "CallOutcome",
    "CallSpan",
    "CommitPolicy",
    "Observer",
    "Policy",
    "StageCall",
    "StageSpan",
    "Stub",
    "check_policy",
    "observe",
)

T = TypeVar("T")
E = TypeVar("E", bound=Failure)


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

    *stage* is None for a call that is awaited outside any stage; *undo* is the name of a write's undo.
    """

    name: str
    stage: StageSpan | None
    kind: CallKind = CallKind.READ
    info: CallInfo | None = None
    undo: str | None = None


CallOutcome: TypeAlias = Result[object, Failure] | BaseException
"""End of a call: a result, `asyncio.CancelledError` if cancelled, or any other exception, which is a bug."""

Stub: TypeAlias = Callable[[CallSpan], Result[object, Failure] | None]
"""Function that answers a call in place of its service, or returns None to let the service answer.

Results must have the type of the call: they are not checked.
"""


class Observer(Protocol):
    """Observer of the stages and calls of a run, notified synchronously in the thread of the run.

    The start and the end of a span are notified with the same object, so that two calls of the same name can
    be distinguished. Each call of a service is observed once; calls that are derived from it are not. The
    methods must not raise: an exception would break the run.
    """

    def stage_started(self, stage: StageSpan, /) -> None:
        """Note that the calls of *stage* are about to start."""

    def stage_ended(self, stage: StageSpan, /) -> None:
        """Note that every call of *stage* has ended."""

    def call_started(self, call: CallSpan, /) -> None:
        """Note that *call* is about to be made."""

    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        """Note that *call* ended with *outcome*."""


@final
class _Silent:
    def stage_started(self, stage: StageSpan, /) -> None:
        """Do nothing."""

    def stage_ended(self, stage: StageSpan, /) -> None:
        """Do nothing."""

    def call_started(self, call: CallSpan, /) -> None:
        """Do nothing."""

    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        """Do nothing."""


_SILENT: Final[Observer] = _Silent()


async def observe(
    span: CallSpan, attempt: Attempt[T, E], observer: Observer | None, stub: Stub | None
) -> Result[T, E]:
    """Make *attempt*, unless *stub* answers in its place; notify *observer* of its start and end."""
    observer = observer or _SILENT
    observer.call_started(span)
    try:
        stubbed = None if stub is None else stub(span)
        # Only as sound as the stub, whose results are not checked.
        result = await attempt() if stubbed is None else cast("Result[T, E]", stubbed)
    except BaseException as error:
        observer.call_ended(span, error)
        raise
    observer.call_ended(span, result)
    return result
