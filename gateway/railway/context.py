"""Context of the current run: everything that the railway needs besides the pipeline's arguments."""

import asyncio
import math
from collections.abc import Callable, Collection, Mapping, MutableMapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final, Protocol, TypedDict, Unpack, final

from gateway.railway.journal import NO_JOURNAL, Journal, Key, Rerun, SentWrite
from gateway.railway.observer import CallSpan, Observer, StageSpan, Stub
from gateway.railway.run_state import RunState

__all__ = (
    "OPEN_GATE",
    "CallMode",
    "CommitGate",
    "CommitTerms",
    "ContextChange",
    "RunContext",
    "ScopeChanges",
    "change_context",
    "check_seconds",
    "current_context",
    "time_left",
)


def check_seconds(name: str, value: object, *, allow_zero: bool = False) -> None:
    """Raise `ValueError` unless *value* is a finite number above 0; 0 is valid too with *allow_zero*."""
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 <= value < math.inf
        and (allow_zero or value)
    ):
        return
    sign = "non-negative" if allow_zero else "positive"
    msg = f"{name} must be a {sign}, finite number of seconds, got {value!r}"
    raise ValueError(msg)


class CallMode(Enum):
    """Policies that apply to a call."""

    NORMAL = "normal"
    """All policies apply: the call may be retried, or rejected unsent."""

    SEND_ONCE = "send once"
    """Like `NORMAL`, but a request that may have been sent is not retried: the commit itself retries it."""

    BYPASS_POLICIES = "bypass policies"
    """Attempted exactly once, regardless of circuit breaker, retry budget and concurrency limit."""


@final
@dataclass(frozen=True, slots=True)
class CommitTerms:
    """Time limits of a commit, in seconds.

    A commit begins only if at least *reserve* is left until the run's deadline. All its steps, including
    retries of writes, share *budget*; all its undos share *undo_budget*. Raises `ValueError` unless all are
    finite, *reserve* is at least 0, and the budgets are above 0.
    """

    reserve: float = 0.5
    budget: float = 10.0
    undo_budget: float = 30.0

    def __post_init__(self) -> None:
        check_seconds("reserve", self.reserve, allow_zero=True)
        check_seconds("budget", self.budget)
        check_seconds("undo_budget", self.undo_budget)


_TERMS: Final = CommitTerms()


class CommitGate(Protocol):
    """Gate before a commit: decides whether the commit or the disconnect of the client came first."""

    def try_begin(self, execution_id: str, /) -> bool:
        """Let the commit begin and return True, or return False if the request is gone.

        After True is returned, the end of the request no longer ends the run. The method must not wait, so
        that the decision is atomic.
        """
        ...

    def revoke(self, execution_id: str, /) -> None:
        """Reverse a `try_begin` that returned True: the journal could not record the commit.

        Nothing has been sent, so from now on the end of the request may end the run again.
        """


@final
class _OpenGate:
    def try_begin(self, execution_id: str, /) -> bool:  # noqa: ARG002 - every commit may begin
        return True

    def revoke(self, execution_id: str, /) -> None:
        """Do nothing: there is no request."""


OPEN_GATE: Final[CommitGate] = _OpenGate()
"""Gate that lets every commit begin: for tests and scripts, whose runs belong to no request."""


@final
@dataclass(frozen=True)
class RunContext:
    """Context of a run; empty by default, as in a test or script.

    The caller of the pipeline provides the first group of fields:

    - *deadline*: instant on the running loop's clock (`loop.time()`, in seconds); clients clip their timeouts
      to the time left
    - *optional_budget*: time limit of an optional call, in seconds
    - *observer*: observer of the stages, calls and attempts
    - *baggage*: headers that every call passes on
    - *execution_id*: id of the run's commit in the journal; by default generated
    - *key_prefix*: prefix of the idempotency keys of writes; by default the execution id
    - *commit_terms*, *journal*, *gate*: time limits, journal and gate of the commit
    - *retryable_undos*: names of the undos that an operator can retry; a commit with any other undo raises
      `LookupError` (None: not checked)
    - *keep_stuck*: function that keeps a write that could not be undone, for an operator's retry
    - *stub*: function that answers calls in place of the services
    - *rerun*: records of an earlier run, in place of its stages and its commit
    - *caller*: id of the authenticated principal, for the log

    The railway sets the second group when it enters a scope: a run, a stage, a commit or an optional call.
    Among them, *call* is the call in progress, None unless it is observed. *answers* has the answers of the
    writes of the commit, by key; it is None outside a commit.
    *run* is the state of the innermost run; it is None outside a run.
    """

    deadline: float | None = None
    optional_budget: float | None = None
    observer: Observer | None = None
    baggage: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    execution_id: str | None = None
    key_prefix: str | None = None
    commit_terms: CommitTerms = _TERMS
    journal: Journal = NO_JOURNAL
    gate: CommitGate = OPEN_GATE
    retryable_undos: Collection[str] | None = None
    keep_stuck: Callable[[SentWrite], None] | None = None
    stub: Stub | None = None
    rerun: Rerun | None = field(default=None, repr=False)
    caller: str | None = None

    stage: StageSpan | None = None
    call: CallSpan | None = None
    is_optional: bool = False
    mode: CallMode = CallMode.NORMAL
    run: RunState | None = field(default=None, repr=False)
    answers: MutableMapping[Key, object] | None = None

    def time_left(self, now: float) -> float:
        """Return the seconds from *now* until the deadline: infinity if there is no deadline."""
        return math.inf if self.deadline is None else self.deadline - now


class ScopeChanges(TypedDict, total=False):
    """Fields of `RunContext` that a scope can change."""

    deadline: float | None
    observer: Observer | None
    stub: Stub | None
    rerun: Rerun | None
    stage: StageSpan | None
    call: CallSpan | None
    is_optional: bool
    mode: CallMode
    run: RunState | None
    answers: MutableMapping[Key, object] | None


_CONTEXT: Final = ContextVar("run_context", default=RunContext())  # noqa: B039 - it is frozen

current_context: Final[Callable[[], RunContext]] = _CONTEXT.get
"""Return the context of the current run."""


@final
class ContextChange:
    """Change of the context, reverted at the end of a `with` block, like a `Token` of Python 3.14."""

    __slots__ = ("_token",)

    def __init__(self, token: Token[RunContext]) -> None:
        self._token = token

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        _CONTEXT.reset(self._token)


def change_context(base: RunContext | None = None, /, **changes: Unpack[ScopeChanges]) -> ContextChange:
    """Apply *changes* to *base*, by default the current context, and make the result the current context.

    In a `with` statement, the change lasts for the block. Otherwise it lasts until the task ends, or an
    enclosing block of `change_context`.
    """
    context = _CONTEXT.get() if base is None else base
    return ContextChange(_CONTEXT.set(_copy(context, changes) if changes else context))


def _copy(context: RunContext, changes: ScopeChanges) -> RunContext:
    """Return *context* with *changes*; about five times as fast as `dataclasses.replace`."""
    copy = object.__new__(RunContext)
    vars(copy).update(vars(context))
    vars(copy).update(changes)
    return copy


def time_left() -> float:
    """Return the seconds until the deadline of the current run: infinity if there is no deadline."""
    deadline = _CONTEXT.get().deadline
    return math.inf if deadline is None else deadline - asyncio.get_running_loop().time()
