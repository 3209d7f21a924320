"""Call of a service: a description of a read that has not been made yet."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Never, ParamSpec, TypeVar, final, overload

from gateway.railway.context import change_context, check_seconds, current_context
from gateway.railway.errors import Failure, TimedOut
from gateway.railway.journal import Key  # noqa: TC001 - a dataclass names it
from gateway.railway.observer import CallInfo, CallKind, CallSpan, StageCall, observe
from gateway.railway.result import Attempt, Err, Ok, Result, on_error, on_value

__all__ = ("Call", "Missing", "call", "constant", "map_result")

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
D = TypeVar("D")
E = TypeVar("E", bound=Failure)
F = TypeVar("F", bound=Failure)
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", bound=Failure, covariant=True)

# For calls that time out at this very deadline: their own error knows more (the service, whether the request
# was sent). Without the grace, this one would win every time. 10 ms are ten ticks of uvloop's clock.
_GRACE: Final = 0.01


@final
@dataclass(frozen=True, slots=True)
class Missing:
    """Value of the optional call *source* if it failed with *error*."""

    # Not `name`: values have one, and the type checkers would let a `Missing` pass for them.
    source: str
    error: Failure


@final
@dataclass(frozen=True, slots=True)
class Call(Generic[T_co, E_co]):
    """A read that has not been made yet: its name (`service.operation`) and the attempt that makes it.

    Inert and reusable: each await makes it once and returns a `Result`; a call that is never awaited is never
    made. `map` to `recover` are the methods of its result, for later; their functions may be sync or async,
    except *otherwise* and *when*. *is_shaped* is true of a call made of another one and of a `constant`,
    *is_optional* of a call that cannot fail. *with_key* is the same call under a key, for a best-effort write
    (`Write.best_effort`). *info* are the facts about a call of a service.
    """

    name: str
    attempt: Attempt[T_co, E_co]
    is_shaped: bool = False
    is_optional: bool = False
    with_key: "Callable[[Key], Call[T_co, E_co]] | None" = None
    info: CallInfo | None = field(default=None, compare=False, repr=False)

    def __await__(self) -> Generator[Any, Any, Result[T_co, E_co]]:
        """Make the call, outside any stage."""
        return self.make().__await__()

    async def make(self) -> Result[T_co, E_co]:
        """Make the call once, observed if the run has an observer."""
        context = current_context()
        if self.is_shaped or (context.observer is None and context.stub is None):
            return await self.attempt()
        span = CallSpan(self.name, context.stage, CallKind.READ, self.info)
        return await observe(span, self.attempt, context.observer, context.stub)

    @property
    def in_stage(self) -> StageCall:
        """Return the description of the call as an argument of a stage."""
        return StageCall(self.name, self.is_optional, self.is_shaped)

    @overload
    def map(self, change: Callable[[T_co], Awaitable[U]]) -> "Call[U, E_co]": ...
    @overload
    def map(self, change: Callable[[T_co], U]) -> "Call[U, E_co]": ...
    def map(self, change: Callable[[T_co], U | Awaitable[U]]) -> "Call[U, E_co]":
        """Change the value."""

        async def attempt() -> Result[U, E_co]:
            return await map_result(await self.make(), change)

        return self._shape(attempt, is_optional=self.is_optional)

    def bind(self, then: Callable[[T_co], Result[U, F] | Awaitable[Result[U, F]]]) -> "Call[U, E_co | F]":
        """Continue with the result or call that *then* makes of the value."""

        async def attempt() -> Result[U, E_co | F]:
            result = await self.make()
            answer: Callable[[T_co], Result[U, F]] = await on_value(result, then)
            return result.bind(answer)

        return self._shape(attempt)

    def tap(self, look: Callable[[T_co], object]) -> "Call[T_co, E_co]":
        """Call *look* with the value, for its effect."""

        async def attempt() -> Result[T_co, E_co]:
            result = await self.make()
            answer = await on_value(result, look)
            return result.tap(answer)

        return self._shape(attempt, is_optional=self.is_optional)

    def ensure(
        self, holds: Callable[[T_co], bool | Awaitable[bool]], otherwise: Callable[[T_co], F]
    ) -> "Call[T_co, E_co | F]":
        """Fail with the error that *otherwise* makes of the value, unless *holds* is true of it."""

        async def attempt() -> Result[T_co, E_co | F]:
            result = await self.make()
            answer = await on_value(result, holds)
            return result.ensure(answer, otherwise)

        return self._shape(attempt)

    def tap_error(self, look: Callable[[E_co], object]) -> "Call[T_co, E_co]":
        """Call *look* with the failure, for its effect."""

        async def attempt() -> Result[T_co, E_co]:
            result = await self.make()
            answer = await on_error(result, look)
            return result.tap_error(answer)

        return self._shape(attempt)

    def map_error(self, change: Callable[[E_co], F | Awaitable[F]]) -> "Call[T_co, F]":
        """Change the failure."""

        async def attempt() -> Result[T_co, F]:
            result = await self.make()
            answer = await on_error(result, change)
            return result.map_error(answer)

        return self._shape(attempt)

    @overload
    def recover(self, rescue: Callable[[E_co], Ok[U] | Awaitable[Ok[U]]]) -> "Call[T_co | U, Never]": ...
    @overload
    def recover(
        self, rescue: Callable[[E_co], Result[U, F] | Awaitable[Result[U, F]]]
    ) -> "Call[T_co | U, F]": ...
    @overload
    def recover(
        self,
        rescue: Callable[[E_co], Result[U, F] | Awaitable[Result[U, F]]],
        *,
        when: Callable[[E_co], bool],
    ) -> "Call[T_co | U, E_co | F]": ...
    def recover(
        self,
        rescue: Callable[[E_co], Result[U, F] | Awaitable[Result[U, F]]],
        *,
        when: Callable[[E_co], bool] | None = None,
    ) -> "Call[T_co | U, E_co | F]":
        """Continue with the result or call that *rescue* makes of the failure, if *when* is true of it."""

        async def attempt() -> Result[T_co | U, E_co | F]:
            result = await self.make()
            answer: Callable[[E_co], Result[U, F]] = await on_error(result, rescue, when)
            return result.recover(answer, when=when)

        return self._shape(attempt)

    def within(self, seconds: float) -> "Call[T_co, E_co | TimedOut]":
        """Fail with `TimedOut` after *seconds*.

        They are the deadline of the call. If it does not keep to it, it is cancelled a hundredth of a second
        later; a value that arrives until then is accepted. Raise `ValueError` unless *seconds* is positive
        and finite.
        """
        check_seconds("seconds", seconds)
        return self._shape(lambda: _limit(self, seconds))

    @overload
    def optional(self) -> "Call[T_co | Missing, Never]": ...
    @overload
    def optional(self, default: D, /) -> "Call[T_co | D, Never]": ...
    def optional(self, *default: D) -> "Call[T_co | D | Missing, Never]":
        """Never fail: a failure becomes *default*, by default `Missing`, and the answer is degraded.

        The call has `RunContext.optional_budget` seconds, if that is set.
        """

        async def attempt() -> Ok[T_co | D | Missing]:
            budget = current_context().optional_budget
            with change_context(is_optional=True):
                result = await (self.make() if budget is None else _limit(self, budget))
            match result:
                case Ok() as ok:
                    return ok
                case Err(error):
                    return Ok(default[0] if default else Missing(self.name, error), lacks=(self.name,))

        return self._shape(attempt, is_optional=True)

    def _shape(self, attempt: Attempt[U, F], *, is_optional: bool = False) -> "Call[U, F]":
        return Call(self.name, attempt, is_shaped=True, is_optional=is_optional)


@overload
def call(function: Callable[P, Coroutine[Any, Any, Result[T, E]]], /) -> Callable[P, Call[T, E]]: ...
@overload
def call(
    *, name: str
) -> Callable[[Callable[P, Coroutine[Any, Any, Result[T, E]]]], Callable[P, Call[T, E]]]: ...
def call(
    function: Callable[P, Coroutine[Any, Any, Result[T, E]]] | None = None, /, *, name: str | None = None
) -> (
    Callable[P, Call[T, E]]
    | Callable[[Callable[P, Coroutine[Any, Any, Result[T, E]]]], Callable[P, Call[T, E]]]
):
    """Turn an async function into one that describes a call instead of starting it.

    The call is named *name*, by default after the function: `users.fetch` for the method `Users.fetch`,
    `checkout.cap` for the function `cap` of a module `checkout`.
    """
    if function is None:
        return lambda function: _describe(function, name)
    return _describe(function, name)


def _describe(
    function: Callable[P, Coroutine[Any, Any, Result[T, E]]], name: str | None
) -> Callable[P, Call[T, E]]:
    path = f"{function.__module__}.{function.__qualname__}".replace(".<locals>", "")
    *_, owner, operation = path.split(".")
    call_name = name or f"{owner.lower()}.{operation}"

    @functools.wraps(function)
    def describe(*args: P.args, **kwargs: P.kwargs) -> Call[T, E]:
        return Call(call_name, lambda: function(*args, **kwargs))

    return describe


def constant(name: str, value: T) -> Call[T, Never]:
    """Return a call *name* that returns *value* without a request: the posts of an empty list of authors.

    Its stage looks the same, but no observer is notified of it.
    """

    async def attempt() -> Ok[T]:
        return Ok(value)

    return Call(name, attempt, is_shaped=True, is_optional=True)


async def map_result(result: Result[T, E], change: Callable[[T], U | Awaitable[U]]) -> Result[U, E]:
    """Return *result* with its value changed; `TypeError` if *change* returns a result."""
    answer = await on_value(result, change)
    mapped = result.map(answer)
    if isinstance(mapped, Ok) and isinstance(mapped.value, Ok | Err):
        msg = "map was given a function that makes a call or a result: that is what bind is for"
        raise TypeError(msg)
    return mapped


async def _limit(call: Call[T, E], seconds: float) -> Result[T, E | TimedOut]:
    """Make *call* with a deadline in *seconds*, and cancel it a hundredth of a second later.

    The grace is for calls that keep to the deadline: their own error is the more precise one.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    before = current_context().deadline
    limit = asyncio.timeout(None)
    # Starts when the end is noticed: on a busy loop, deadline and limit could fall into the same iteration.
    late = loop.call_at(end, lambda: limit.reschedule(loop.time() + _GRACE))
    bug: BaseException | None = None
    try:
        with change_context(deadline=end if before is None else min(end, before)):
            async with limit:
                try:
                    return await call.make()
                except asyncio.CancelledError as cancellation:
                    bug = cancellation.__cause__  # of a stage that was cancelled; see `run_stage`
                    raise
    except TimeoutError:
        if not limit.expired():  # raised by the call itself: a bug
            raise
        if bug is not None:
            raise bug from bug.__cause__
        detail = f"{call.name} took longer than {seconds:g} s"
        return Err(TimedOut(detail, source=call.name, budget=seconds))
    finally:
        late.cancel()
