"""Context of the current run: everything that the railway reads from outside a pipeline's arguments."""

import asyncio
import math
from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final, Protocol, TypedDict, Unpack, final

from gateway.railway.journal import NO_JOURNAL, Journal
from gateway.railway.observer import Observer, StageSpan, Stub

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
    """It may be retried, and it may be refused without being sent."""

    SEND_ONCE = "send once"
    """The same, but a request that may have been sent is not retried: the caller decides about that."""

    BYPASS_POLICIES = "bypass policies"
    """It is sent exactly once, whatever breaker, retry budget and limits say."""


@final
@dataclass(frozen=True, slots=True)
class CommitTerms:
    """Time limits of a commit, in seconds.

    A commit begins only if *reserve* is left of the run's deadline. Its writes, retries of unanswered ones
    included, share *budget*; undoing them shares *undo_budget*. A *reserve* below 0, and a budget that is not
    positive and finite, is a `ValueError`.
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
    """Decides whether a commit may begin: one place for the race of commit against disconnect."""

    def try_begin(self, execution_id: str, /) -> bool:
        """Return whether the commit may begin; if so, its run no longer ends with its request.

        False if the request is gone. The method does not wait, so that the two are decided atomically.
        """
        ...

    def revoke(self, execution_id: str, /) -> None:
        """Return the run to its request: the commit could not be recorded, and nothing has been sent."""


@final
class _OpenGate:
    def try_begin(self, execution_id: str, /) -> bool:  # noqa: ARG002 - every commit may begin
        return True

    def revoke(self, execution_id: str, /) -> None:
        """Do nothing: there is no request."""


OPEN_GATE: Final[CommitGate] = _OpenGate()
"""Lets every commit begin: for tests and scripts, whose runs belong to no request."""


@final
@dataclass(frozen=True)
class RunContext:
    """Context of a run; by default empty, as in a test or script.

    The caller of the pipeline provides the first group of fields.
    *deadline* is an instant on the running loop's clock (`loop.time()`, in seconds), to which clients clip
    their timeouts. *optional_budget* is the time of an optional call in seconds. *baggage* are headers that
    every call passes on. *execution_id* identifies the run's commit, by default with a generated id;
    *key_prefix* begins the keys of its writes, by default with that id. *commit_terms*, *journal* and *gate*
    are used by the commit; *retryable_undos* are the names of the undos that an operator can retry, and a
    write with any other is refused (None: not checked). *stub* answers in place of services.

    The railway sets the second group as it enters a scope: a run, a stage, a commit or an optional call.
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
    stub: Stub | None = None

    stage: StageSpan | None = None
    is_optional: bool = False
    mode: CallMode = CallMode.NORMAL
    is_in_run: bool = False


class ScopeChanges(TypedDict, total=False):
    """Fields of `RunContext` that a scope can change."""

    deadline: float | None
    stage: StageSpan | None
    is_optional: bool
    mode: CallMode
    is_in_run: bool


_CONTEXT: Final = ContextVar("run_context", default=RunContext())  # noqa: B039 - it is frozen

current_context: Final[Callable[[], RunContext]] = _CONTEXT.get
"""Return the context of the current run."""


@final
class ContextChange:
    """A change of the context, taken back by the end of a `with` block, like a `Token` of Python 3.14."""

    __slots__ = ("_token",)

    def __init__(self, token: Token[RunContext]) -> None:
        self._token = token

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        _CONTEXT.reset(self._token)


def change_context(base: RunContext | None = None, /, **changes: Unpack[ScopeChanges]) -> ContextChange:
    """Replace the current context by *base*, by default the current one, with *changes*.

    The change lasts for the `with` block, or, without one, until an enclosing block or the task ends.
    """
    context = _CONTEXT.get() if base is None else base
    return ContextChange(_CONTEXT.set(_copy(context, changes) if changes else context))


def _copy(context: RunContext, changes: ScopeChanges) -> RunContext:
    """Return *context* with *changes*, as `dataclasses.replace` does in five times the time."""
    copy = object.__new__(RunContext)
    vars(copy).update(vars(context))
    vars(copy).update(changes)
    return copy


def time_left() -> float:
    """Return the seconds until the deadline of the current run: infinity if it has none."""
    deadline = _CONTEXT.get().deadline
    return float("inf") if deadline is None else deadline - asyncio.get_running_loop().time()
