"""Writes: requests that change the state of a service. A `Write` is inert until a commit makes it."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Never, TypeAlias, TypeVar, cast, final, overload

from gateway.railway.call import Call, Missing, map_result
from gateway.railway.context import CallMode, change_context, current_context
from gateway.railway.errors import Failure
from gateway.railway.journal import Key
from gateway.railway.observation import observe
from gateway.railway.observer import CallInfo, CallKind, CallSpan, StageCall
from gateway.railway.result import Ok, Result
from gateway.railway.run_state import RunMisused
from gateway.railway.undo import Undo

__all__ = ("CommitStep", "Write", "WriteAttempt")

T = TypeVar("T")
U = TypeVar("U")
D = TypeVar("D")
E = TypeVar("E", bound=Failure)
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", bound=Failure, covariant=True)

WriteAttempt: TypeAlias = Callable[[Key], Coroutine[Any, Any, Result[T, E]]]
"""Async function that takes an idempotency key and makes a write once, under that key."""


@final
@dataclass(frozen=True, slots=True)
class Write(Generic[T_co, E_co]):
    """A request that changes state and has not been made yet: a step of a commit.

    Inert and reusable, like a `Call`.

    - *undo*: compensation of the write, None if it cannot be undone
    - *info*: facts about the write that are known without making it; None if there are none
    - *is_shaped*: True if the write is derived from another write

    The result shows whether the service executed the write. `Ok` means yes. A failure that the service
    declares, or a fault with `was_sent=False`, means that nothing has changed. Any other failure leaves the
    outcome unknown.
    """

    name: str
    attempt: WriteAttempt[T_co, E_co]
    undo: Undo | None = None
    info: CallInfo | None = field(default=None, compare=False, repr=False)
    is_shaped: bool = False

    async def make(self, key: Key) -> Result[T_co, E_co]:
        """Make the write under *key* once; notify the observer of the run, if any.

        In a commit, the answer is added to `RunContext.answers`.
        """
        if self.is_shaped:
            return await self.attempt(key)
        context = current_context()
        undo = self.undo and self.undo.name
        span = CallSpan(self.name, context.stage, CallKind.WRITE, self.info, undo, key)
        result = await observe(span, partial(self.attempt, key))
        if context.answers is not None and isinstance(result, Ok):
            context.answers[key] = result.value
        return result

    @property
    def in_stage(self) -> StageCall:
        """Return the write as an observer sees it among the steps of a commit."""
        return StageCall(self.name, is_shaped=self.is_shaped, is_write=True)

    @overload
    def map(self, change: Callable[[T_co], Awaitable[U]]) -> "Write[U, E_co]": ...
    @overload
    def map(self, change: Callable[[T_co], U]) -> "Write[U, E_co]": ...
    def map(self, change: Callable[[T_co], U | Awaitable[U]]) -> "Write[U, E_co]":
        """Apply *change* to the value; calls that *change* makes have the mode `CallMode.NORMAL`."""

        async def attempt(key: Key) -> "Result[U, E_co]":
            result = await self.make(key)
            with change_context(mode=CallMode.NORMAL):
                return await map_result(result, change)

        return Write(self.name, attempt, self.undo, is_shaped=True)

    @overload
    def best_effort(self) -> Call[T_co | Missing, Never]: ...
    @overload
    def best_effort(self, default: D, /) -> Call[T_co | D, Never]: ...
    def best_effort(self, *default: D) -> Call[T_co | D | Missing, Never]:
        """Return an optional call that makes the write after a commit; the write is not journalled or undone.

        The call must be an argument of a stage after the commit, which provides the idempotency key;
        elsewhere it raises `RunMisused`. A call that is derived from this call always raises `RunMisused`: to
        change the value, call `map` on the write, before `best_effort`.
        """

        def with_key(key: Key) -> "Call[T_co | D | Missing, Never]":
            # Sound: the overloads bind `D` to the type of `default`.
            return cast(
                "Call[T_co | D | Missing, Never]",
                Call(self.name, lambda: self.make(key), is_shaped=True).optional(*default),
            )

        async def without_key() -> "Ok[T_co | D | Missing]":
            msg = (
                f"{self.name} has no idempotency key: make it in a stage after the commit,"
                " and call map before best_effort, not after it"
            )
            raise RunMisused(msg)

        return Call(self.name, without_key, is_shaped=True, is_optional=True, with_key=with_key)


CommitStep: TypeAlias = Call[T, E] | Write[T, E]
"""A step of a commit: a write, or a read that is made with the writes."""
