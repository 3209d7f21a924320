"""Calls: reads that are made when they are awaited."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Never, ParamSpec, TypeVar, final, overload

from gateway.railway.context import change_context, check_seconds, current_context
from gateway.railway.errors import Failure, TimedOut
from gateway.railway.journal import Key  # noqa: TC001 - a dataclass names it
from gateway.railway.observation import observe
from gateway.railway.observer import CallInfo, CallKind, CallSpan, StageCall
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

# The annotations of nested functions are quoted: Python would evaluate them for each call that is described.

# A call that keeps to the deadline times out at the same instant as `within`, with a more precise error: it
# names the service and has `was_sent`. Without this grace, the error of `within` would always come first.
# 10 ms are longer than a slot of the timer wheel (5 ms) and a tick of uvloop's clock (1 ms).
_GRACE: Final = 0.01


@final
@dataclass(frozen=True, slots=True)
class Missing:
    """Value of an optional call that failed: the name of the call (*source*), and its *error*."""

    # Not `name`: type checkers would then accept `value.name` of a value that can be `Missing`.
    source: str
    error: Failure


@final
@dataclass(frozen=True, slots=True)
class Call(Generic[T_co, E_co]):
    """A read that has not been made yet: its *name* (`service.operation`) and the *attempt* that makes it.

    Inert and reusable: each await makes the call once and returns a `Result`; a call that is never awaited is
    never made. The methods from `map` to `recover` return a call that makes this call and then applies the
    method of `Result` with the same name. The functions passed to them may be sync or async, except
    *otherwise* and *when*.

    - *is_shaped*: True if the call is derived from another call, or is a `constant`
    - *is_optional*: True for an `optional` call and for a `constant`, which cannot fail
    - *with_key*: function that returns the call with an idempotency key; None unless the call is a
      best-effort write (`Write.best_effort`)
    - *info*: facts about the call that are known without making it, such as its service; None for calls that
      a `ServiceClient` did not create
    """

    name: str
    attempt: Attempt[T_co, E_co]
    is_shaped: bool = False
    is_optional: bool = False
    with_key: "Callable[[Key], Call[T_co, E_co]] | None" = None
    info: CallInfo | None = field(default=None, compare=False, repr=False)

    def __await__(self) -> Generator[Any, Any, Result[T_co, E_co]]:
        """Make the call and return its `Result`."""
        return self.make().__await__()

    async def make(self) -> Result[T_co, E_co]:
        """Make the call once, or let the stub of the run answer; notify the observer of the run, if any."""
        context = current_context()
        if self.is_shaped or (context.observer is None and context.stub is None):
            return await self.attempt()
        span = CallSpan(self.name, context.stage, CallKind.READ, self.info)
        return await observe(span, self.attempt)

    @property
    def in_stage(self) -> StageCall:
        """Return the call as an observer sees it among the arguments of a stage."""
        return StageCall(self.name, self.is_optional, self.is_shaped)

    @overload
    def map(self, change: Callable[[T_co], Awaitable[U]]) -> "Call[U, E_co]": ...
    @overload
    def map(self, change: Callable[[T_co], U]) -> "Call[U, E_co]": ...
    def map(self, change: Callable[[T_co], U | Awaitable[U]]) -> "Call[U, E_co]":
        """Apply *change* to the value; raises `TypeError` if *change* returns a call or a result."""

        async def attempt() -> "Result[U, E_co]":
            return await map_result(await self.make(), change)

        return self._shape(attempt, is_optional=self.is_optional)

    def bind(self, then: Callable[[T_co], Result[U, F] | Awaitable[Result[U, F]]]) -> "Call[U, E_co | F]":
        """Continue with the result or call that *then* returns for the value."""

        async def attempt() -> "Result[U, E_co | F]":
            result = await self.make()
            answer: Callable[[T_co], Result[U, F]] = await on_value(result, then)
            return result.bind(answer)

        return self._shape(attempt)

    def tap(self, look: Callable[[T_co], object]) -> "Call[T_co, E_co]":
        """Call *look* with the value, for its effect."""

        async def attempt() -> "Result[T_co, E_co]":
            result = await self.make()
            answer = await on_value(result, look)
            return result.tap(answer)

        return self._shape(attempt, is_optional=self.is_optional)

    def ensure(
        self, holds: Callable[[T_co], bool | Awaitable[bool]], otherwise: Callable[[T_co], F]
    ) -> "Call[T_co, E_co | F]":
        """Fail with the error that *otherwise* returns, unless *holds* is true of the value."""

        async def attempt() -> "Result[T_co, E_co | F]":
            result = await self.make()
            answer = await on_value(result, holds)
            return result.ensure(answer, otherwise)

        return self._shape(attempt)

    def tap_error(self, look: Callable[[E_co], object]) -> "Call[T_co, E_co]":
        """Call *look* with the failure, for its effect."""

        async def attempt() -> "Result[T_co, E_co]":
            result = await self.make()
            answer = await on_error(result, look)
            return result.tap_error(answer)

        return self._shape(attempt)

    def map_error(self, change: Callable[[E_co], F | Awaitable[F]]) -> "Call[T_co, F]":
        """Apply *change* to the failure."""

        async def attempt() -> "Result[T_co, F]":
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
        """Continue with the result or call that *rescue* returns for the failure.

        If *when* is given and false of the failure, the call fails as before.
        """

        async def attempt() -> "Result[T_co | U, E_co | F]":
            result = await self.make()
            answer: Callable[[E_co], Result[U, F]] = await on_error(result, rescue, when)
            return result.recover(answer, when=when)

        return self._shape(attempt)

    def within(self, seconds: float) -> "Call[T_co, E_co | TimedOut]":
        """Fail with `TimedOut` after *seconds*.

        The call has a deadline *seconds* after its start. If it overruns the deadline, it is cancelled 10 ms
        later; a value that arrives within these 10 ms is accepted. Raises `ValueError` unless *seconds* is
        positive and finite.
        """
        check_seconds("seconds", seconds)
        return self._shape(lambda: _make_within(self, seconds))

    @overload
    def optional(self) -> "Call[T_co | Missing, Never]": ...
    @overload
    def optional(self, default: D, /) -> "Call[T_co | D, Never]": ...
    def optional(self, *default: D) -> "Call[T_co | D | Missing, Never]":
        """Never fail: replace a failure by *default*, or by `Missing`, and add the call's name to `Ok.lacks`.

        The time limit of the call is `RunContext.optional_budget`, if that is set.
        """

        async def attempt() -> "Ok[T_co | D | Missing]":
            budget = current_context().optional_budget
            with change_context(is_optional=True):
                result = await (self.make() if budget is None else _make_within(self, budget))
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
    """Turn an async function that returns a `Result` into a function that returns a `Call`.

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
    """Return a call *name* that sends no request and succeeds with *value*.

    For example, the posts of a user without friends are an empty list. A stage treats a constant like any
    call, but does not notify the observer of it.
    """

    async def attempt() -> "Ok[T]":
        return Ok(value)

    return Call(name, attempt, is_shaped=True, is_optional=True)


async def map_result(result: Result[T, E], change: Callable[[T], U | Awaitable[U]]) -> Result[U, E]:
    """Apply *change* to the value of *result*; raise `TypeError` if *change* returns a call or a result."""
    answer = await on_value(result, change)
    mapped = result.map(answer)
    if isinstance(mapped, Ok) and isinstance(mapped.value, Ok | Err):
        msg = "map was given a function that returns a call or a result: use bind instead"
        raise TypeError(msg)
    return mapped


async def _make_within(call: Call[T, E], seconds: float) -> Result[T, E | TimedOut]:
    """Make *call* with a deadline *seconds* from now, and cancel it 10 ms after the deadline.

    The grace lets a call that keeps to the deadline fail with its own, more precise error.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    before = current_context().deadline
    limit = asyncio.timeout(None)
    # The grace starts only when the loop runs this timer. On a busy loop, the deadline and the limit could
    # otherwise expire in the same iteration.
    timer = loop.call_at(end, lambda: limit.reschedule(loop.time() + _GRACE))
    bug: BaseException | None = None
    try:
        with change_context(deadline=end if before is None else min(end, before)):
            async with limit:
                try:
                    return await call.make()
                except asyncio.CancelledError as cancellation:
                    bug = cancellation.__cause__  # in a stage that was cancelled; see `run_stage`
                    raise
    except TimeoutError:
        if not limit.expired():  # raised by the call itself: a bug
            raise
        if bug is not None:
            raise bug from bug.__cause__
        detail = f"{call.name} took longer than {seconds:g} s"
        return Err(TimedOut(detail, source=call.name, budget=seconds))
    finally:
        timer.cancel()
