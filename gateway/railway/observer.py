"""Observer of a run, the spans that it is notified of, and the stub that answers in place of services."""

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
    """A failed call cancels those named after it; the stage fails with the first failure, by argument."""


SETTLE: Final = Policy.SETTLE
FAIL_FAST: Final = Policy.FAIL_FAST


class CommitPolicy(Enum):
    """Order in which a commit makes its writes."""

    SEQUENTIAL = "in order"
    """Each is made after the one before it is done; after a failure, the later ones are not sent."""

    CONCURRENT = "parallel"
    """All are made at once, and every one is awaited."""


SEQUENTIAL: Final = CommitPolicy.SEQUENTIAL
CONCURRENT: Final = CommitPolicy.CONCURRENT


class CallKind(Enum):
    """Effect of a call on its service."""

    READ = "read"
    WRITE = "write"
    UNDO = "undo"


class CallInfo(Protocol):
    """Facts about a call or a write that are known without making it."""

    @property
    def service(self) -> str:
        """Return the registered name of the service, as messages to callers use it."""
        ...

    @property
    def example(self) -> object:
        """Return a typical value of the call; raises `LookupError` if there is none."""

    @property
    def refusals(self) -> tuple[type[Failure], ...]:
        """Return the failures that the service declares, besides those that every call can have."""
        ...


# The spans are not frozen: a frozen dataclass takes three to four times as long to create, and these are
# created for every call (https://docs.python.org/3/library/dataclasses.html#frozen-instances).


@final
@dataclass(slots=True)
class StageCall:
    """One argument of a stage or a commit.

    *is_shaped* is true if it is made of another call or write, or is a constant; *is_optional* if it cannot
    fail its stage; *is_write* if it is a write of a commit.
    """

    name: str
    is_optional: bool = False
    is_shaped: bool = False
    is_write: bool = False


@final
@dataclass(slots=True, eq=False)
class StageSpan:
    """One stage or commit that is run: its name, its calls in argument order, and its policy."""

    name: str
    calls: tuple[StageCall, ...]
    policy: Policy | CommitPolicy


@final
@dataclass(slots=True, eq=False)
class CallSpan:
    """One request to a service: a read, a write or an undo.

    *stage* is None for a call that is awaited outside any stage; *undo* is the name of a write's undo.
    """

    name: str
    stage: StageSpan | None
    kind: CallKind = CallKind.READ
    info: CallInfo | None = None
    undo: str | None = None


CallOutcome: TypeAlias = Result[object, Failure] | BaseException
"""How a call ended: a result, `asyncio.CancelledError` if it was cancelled, any other exception for a bug."""

Stub: TypeAlias = Callable[[CallSpan], Result[object, Failure] | None]
"""Answers in place of the services, call by call; the service is called where the stub returns None.

A stub must return results of the type of the call: they are not checked.
"""


class Observer(Protocol):
    """Is notified of the stages and calls of a run, synchronously, in the thread of the run.

    A span's start and end are notified with the same object, so that two calls of one name can be told apart.
    Only calls to services are notified, once each, and not the calls that are made of them. An observer that
    raises breaks the run.
    """

    def stage_started(self, stage: StageSpan, /) -> None:
        """Note that the calls of *stage* are about to start."""

    def stage_ended(self, stage: StageSpan, /) -> None:
        """Note that every call of *stage* has ended."""

    def call_started(self, call: CallSpan, /) -> None:
        """Note that *call* is about to be made."""

    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        """Note how *call* ended."""


@final
class _Silent:
    def stage_started(self, stage: StageSpan, /) -> None:
        """Ignore it."""

    def stage_ended(self, stage: StageSpan, /) -> None:
        """Ignore it."""

    def call_started(self, call: CallSpan, /) -> None:
        """Ignore it."""

    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        """Ignore it."""


_SILENT: Final[Observer] = _Silent()


async def observe(
    span: CallSpan, attempt: Attempt[T, E], observer: Observer | None, stub: Stub | None
) -> Result[T, E]:
    """Make *attempt*, unless *stub* answers in its place; notify *observer* of its start and end."""
    observer = observer or _SILENT
    observer.call_started(span)
    try:
        stubbed = None if stub is None else stub(span)
        # As sound as the stub, which must know the type of the call.
        result = await attempt() if stubbed is None else cast("Result[T, E]", stubbed)
    except BaseException as error:
        observer.call_ended(span, error)
        raise
    observer.call_ended(span, result)
    return result
