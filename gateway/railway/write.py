"""Write of a service: a description of a request that changes state and has not been made yet."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Never, TypeAlias, TypeVar, cast, final, overload

from gateway.railway.call import Call, Missing, map_result
from gateway.railway.context import CallMode, change_context, current_context
from gateway.railway.errors import Failure
from gateway.railway.journal import Json, Key
from gateway.railway.observer import CallInfo, CallKind, CallSpan, StageCall, observe
from gateway.railway.result import Ok, Result
from gateway.railway.run_state import RunMisused

__all__ = ("CommitStep", "Undo", "Write", "WriteAttempt")

T = TypeVar("T")
U = TypeVar("U")
D = TypeVar("D")
E = TypeVar("E", bound=Failure)
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", bound=Failure, covariant=True)

WriteAttempt: TypeAlias = Callable[[Key], Coroutine[Any, Any, Result[T, E]]]
"""Makes a write once: an async function of its idempotency key."""


@final
@dataclass(frozen=True, slots=True)
class Undo:
    """Compensation of a write: its name (`service.operation`) and the attempt that makes it.

    It needs nothing but the key of the write, so that it can be made whatever else has been lost. It must be
    safe to make it for a write that never arrived, and to make it again.
    """

    name: str
    attempt: WriteAttempt[object, Failure]

    async def make(self, key: Key) -> Result[object, Failure]:
        """Undo the write under *key*, bypassing the policies; observed if the run has an observer."""
        context = current_context()
        span = CallSpan(self.name, context.stage, CallKind.UNDO)
        with change_context(mode=CallMode.BYPASS_POLICIES):
            return await observe(span, partial(self.attempt, key), context.observer, context.stub)


@final
@dataclass(frozen=True, slots=True)
class Write(Generic[T_co, E_co]):
    """A request that changes state and has not been made yet; only a commit makes it.

    Inert and reusable, like a `Call`. *arguments* are its arguments in JSON, *undo* is its compensation and
    *info* the facts about it; *is_shaped* is true of a write that is made of another one.

    Its result shows whether it was executed. `Ok` means that it was. A failure that the service declares, or
    a fault with `was_sent=False`, means that nothing has changed. Any other failure leaves that unknown.
    """

    name: str
    attempt: WriteAttempt[T_co, E_co]
    arguments: Mapping[str, Json] = field(default_factory=dict[str, Json])
    undo: Undo | None = None
    info: CallInfo | None = field(default=None, compare=False, repr=False)
    is_shaped: bool = False

    async def make(self, key: Key) -> Result[T_co, E_co]:
        """Make the write under *key* once, observed if the run has an observer."""
        if self.is_shaped:
            return await self.attempt(key)
        context = current_context()
        undo = self.undo and self.undo.name
        span = CallSpan(self.name, context.stage, CallKind.WRITE, self.info, undo)
        return await observe(span, partial(self.attempt, key), context.observer, context.stub)

    @property
    def in_stage(self) -> StageCall:
        """Return the description of the write as a step of a commit."""
        return StageCall(self.name, is_shaped=self.is_shaped, is_write=True)

    @overload
    def map(self, change: Callable[[T_co], Awaitable[U]]) -> "Write[U, E_co]": ...
    @overload
    def map(self, change: Callable[[T_co], U]) -> "Write[U, E_co]": ...
    def map(self, change: Callable[[T_co], U | Awaitable[U]]) -> "Write[U, E_co]":
        """Change the value. Calls that *change* makes have the usual policies, not those of the write."""

        async def attempt(key: Key) -> Result[U, E_co]:
            result = await self.make(key)
            with change_context(mode=CallMode.NORMAL):
                return await map_result(result, change)

        return Write(self.name, attempt, self.arguments, self.undo, is_shaped=True)

    @overload
    def best_effort(self) -> Call[T_co | Missing, Never]: ...
    @overload
    def best_effort(self, default: D, /) -> Call[T_co | D, Never]: ...
    def best_effort(self, *default: D) -> Call[T_co | D | Missing, Never]:
        """Return an optional call of the write, for a stage after a commit: neither journalled nor undone.

        The stage provides its key. Made anywhere else it raises `RunMisused`. So does a call that is shaped
        from it, which has no key either: shape the write instead.
        """

        def with_key(key: Key) -> Call[T_co | D | Missing, Never]:
            # Sound: `default` is what the overload says.
            return cast(
                "Call[T_co | D | Missing, Never]",
                Call(self.name, lambda: self.make(key), is_shaped=True).optional(*default),
            )

        async def without_key() -> Ok[T_co | D | Missing]:
            msg = f"{self.name} is made only by a stage after a commit, and as `best_effort` returned it"
            raise RunMisused(msg)

        return Call(self.name, without_key, is_shaped=True, is_optional=True, with_key=with_key)


CommitStep: TypeAlias = Call[T, E] | Write[T, E]
"""A step of a commit: a write, or a read that rides along."""
