"""A call that has not been made yet."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, field, replace
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    Never,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    cast,
    final,
    overload,
)

from gateway.railway.context import RUN_CONTEXT, UNOBSERVED, CallSpan
from gateway.railway.errors import Failure, TimedOut
from gateway.railway.journal import Key  # noqa: TC001 - a dataclass names it
from gateway.railway.result import Err, Ok, Result

if TYPE_CHECKING:
    from gateway.railway.write import Undo, Write

__all__ = ("Attempt", "Call", "CallInfo", "Missing", "call", "known")

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
D = TypeVar("D")
E = TypeVar("E", bound=Failure)
F = TypeVar("F", bound=Failure)
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", bound=Failure, covariant=True)

_GRACE: Final = 0.01

Attempt: TypeAlias = Callable[[], Coroutine[Any, Any, Result[T, E]]]
"""Makes the call once: an async function without arguments."""


@final
@dataclass(frozen=True, slots=True)
class Missing:
    """Stands where the value of the optional call *source* would be, and says why it does not."""

    # Not `name`: values have one, and the type checkers would let a `Missing` pass for them.
    source: str
    error: Failure


class CallInfo(Protocol):
    """What is known of a call or a write without making it."""

    @property
    def example(self) -> object:
        """Give a value such as it gives; raises `LookupError` if there is none."""

    @property
    def refusals(self) -> tuple[type[Failure], ...]:
        """Give the failures that its service declares, besides what can befall every call."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Call(Generic[T_co, E_co]):
    """A read that has not been made yet: its name (`service.operation`) and how to attempt it.

    Inert and reusable. Awaiting it makes the call, once each time, and gives a `Result`; dropping it is fine.
    The functions given to its methods may be sync or async, all but *otherwise* and *when*. *is_shaped* says
    that it asks no service itself: it is made of another call, or its value is `known`. *is_optional* says
    that it cannot fail; *keyed* is the same call under a key, for a best-effort write (`Write.best_effort`);
    *info* are what is known of one that asks a service.
    """

    name: str
    attempt: Attempt[T_co, E_co]
    is_shaped: bool = False
    is_optional: bool = False
    keyed: "Callable[[Key], Call[T_co, E_co]] | None" = None
    info: CallInfo | None = field(default=None, compare=False, repr=False)

    def __await__(self) -> Generator[Any, Any, Result[T_co, E_co]]:
        """Make the call, outside any stage."""
        return self.make().__await__()

    async def make(self) -> Result[T_co, E_co]:
        """Make the call once, under the eyes of the observer if there is one."""
        around = RUN_CONTEXT.get()
        if self.is_shaped or (around.observer is None and around.stub is None):
            return await self.attempt()
        return await observed(self, self.attempt)

    @overload
    def map(self, change: Callable[[T_co], Awaitable[U]]) -> "Call[U, E_co]": ...
    @overload
    def map(self, change: Callable[[T_co], U]) -> "Call[U, E_co]": ...
    def map(self, change: Callable[[T_co], U | Awaitable[U]]) -> "Call[U, E_co]":
        """Change the value."""
        return self._shaped(mapped(self.make, change), is_optional=self.is_optional)

    def bind(self, then: Callable[[T_co], Result[U, F] | Awaitable[Result[U, F]]]) -> "Call[U, E_co | F]":
        """Go on with another call, or a result, made from the value."""
        return self._shaped(_bound(self, then))

    def tap(self, look: Callable[[T_co], object]) -> "Call[T_co, E_co]":
        """Show the value to *look*; nothing changes."""
        return self._shaped(_tapped(self, look), is_optional=self.is_optional)

    def ensure(
        self, holds: Callable[[T_co], bool | Awaitable[bool]], otherwise: Callable[[T_co], F]
    ) -> "Call[T_co, E_co | F]":
        """Fail with what *otherwise* makes of the value unless it *holds*."""
        return self._shaped(_ensured(self, holds, otherwise))

    def tap_error(self, look: Callable[[E_co], object]) -> "Call[T_co, E_co]":
        """Show the failure to *look*; nothing changes."""
        return self._shaped(_error_tapped(self, look))

    def map_error(self, change: Callable[[E_co], F | Awaitable[F]]) -> "Call[T_co, F]":
        """Change the failure."""
        return self._shaped(_error_mapped(self, change))

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
        """Give the failure (*when* it is one of those) one more chance to be a value."""
        # Its own line: with the return type for context, mypy takes E_co for E_co | F.
        attempt = _recovered(self, rescue, when or _always)
        return self._shaped(attempt)

    def within(self, seconds: float) -> "Call[T_co, E_co | TimedOut]":
        """Give up after *seconds*, with `TimedOut`.

        The call sees them as its deadline. If it does not keep to it, it is cancelled a hundredth of a second
        later; a value that comes until then is taken.
        """
        return self._shaped(lambda: _limited(self, seconds))

    @overload
    def optional(self) -> "Call[T_co | Missing, Never]": ...
    @overload
    def optional(self, default: D, /) -> "Call[T_co | D, Never]": ...
    def optional(self, *default: D) -> "Call[T_co | D | Missing, Never]":
        """Never fail: give `Missing`, or *default*, and say what the answer lacks.

        It has `RunContext.optional_budget` seconds in all, where that is set.
        """
        return self._shaped(_lenient(self, *default), is_optional=True)

    def _shaped(self, attempt: Attempt[U, F], *, is_optional: bool = False) -> "Call[U, F]":
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
    """Make an async function describe a call instead of starting it.

    The call is named as the function is: `users.fetch` for the method `Users.fetch`, `checkout.cap` for the
    function `cap` of a module `checkout`; or *name*.
    """
    if function is None:
        return lambda function: _described(function, name)
    return _described(function, name)


def known(name: str, value: T) -> Call[T, Never]:
    """Stand in for the call *name* where its *value* is known without asking: the posts of no authors.

    Its stage is the same, but no observer hears of it as a call.
    """

    async def attempt() -> Ok[T]:
        return Ok(value)

    return Call(name, attempt, is_shaped=True, is_optional=True)


def _described(
    function: Callable[P, Coroutine[Any, Any, Result[T, E]]], name: str | None
) -> Callable[P, Call[T, E]]:
    *_, owner, operation = f"{function.__module__}.{function.__qualname__}".replace(".<locals>", "").split(
        "."
    )
    known_as = name or f"{owner.lower()}.{operation}"

    @functools.wraps(function)
    def describe(*args: P.args, **kwargs: P.kwargs) -> Call[T, E]:
        return Call(known_as, lambda: function(*args, **kwargs))

    return describe


def mapped(attempt: Attempt[T, E], change: Callable[[T], U | Awaitable[U]]) -> Attempt[U, E]:
    """Give *attempt* with its value changed."""

    async def changed() -> Result[U, E]:
        match await attempt():
            case Ok(value, lacks=lacks):
                return Ok(_value(await settled(change(value))), lacks=lacks)
            case Err() as failed:
                return failed

    return changed


def _value(value: T) -> T:
    if isinstance(value, Ok | Err):
        msg = "map was given a function that makes a call or a result: that is what bind is for"
        raise TypeError(msg)
    return value


def _bound(of: Call[T, E], then: Callable[[T], Result[U, F] | Awaitable[Result[U, F]]]) -> Attempt[U, E | F]:
    async def bound() -> Result[U, E | F]:
        match await of.make():
            case Ok(value, lacks=lacks):
                onward: Result[U, F] = await settled(then(value))
                return onward.lacking(lacks)
            case Err() as failed:
                return failed

    return bound


def _tapped(of: Call[T, E], look: Callable[[T], object]) -> Attempt[T, E]:
    async def tapped() -> Result[T, E]:
        result = await of.make()
        if isinstance(result, Ok):
            await settled(look(result.value))
        return result

    return tapped


def _ensured(
    of: Call[T, E], holds: Callable[[T], bool | Awaitable[bool]], otherwise: Callable[[T], F]
) -> Attempt[T, E | F]:
    async def ensured() -> Result[T, E | F]:
        result = await of.make()
        if isinstance(result, Ok) and not await settled(holds(result.value)):
            return Err(otherwise(result.value))
        return result

    return ensured


def _error_tapped(of: Call[T, E], look: Callable[[E], object]) -> Attempt[T, E]:
    async def tapped() -> Result[T, E]:
        result = await of.make()
        if isinstance(result, Err):
            await settled(look(result.error))
        return result

    return tapped


def _error_mapped(of: Call[T, E], change: Callable[[E], F | Awaitable[F]]) -> Attempt[T, F]:
    async def mapped() -> Result[T, F]:
        match await of.make():
            case Ok() as ok:
                return ok
            case Err(error):
                return Err(await settled(change(error)))

    return mapped


def _recovered(
    of: Call[T, E], rescue: Callable[[E], Result[U, F] | Awaitable[Result[U, F]]], when: Callable[[E], bool]
) -> Attempt[T | U, E | F]:
    async def recovered() -> Result[T | U, E | F]:
        result = await of.make()
        if isinstance(result, Err) and when(result.error):
            rescued: Result[U, F] = await settled(rescue(result.error))
            return rescued
        return result

    return recovered


def _always(_error: object) -> bool:
    return True


def _lenient(of: Call[T, Failure], *default: D) -> Attempt[T | D | Missing, Never]:
    async def lenient() -> Ok[T | D | Missing]:
        around = RUN_CONTEXT.get()
        budget = around.optional_budget
        before = RUN_CONTEXT.set(replace(around, is_optional=True))
        try:
            result = await (of.make() if budget is None else _limited(of, budget))
        finally:
            RUN_CONTEXT.reset(before)
        match result:
            case Ok() as ok:
                return ok
            case Err(error):
                return Ok(default[0] if default else Missing(of.name, error), lacks=(of.name,))

    return lenient


async def observed(
    leaf: "Call[object, Failure] | Write[object, Failure] | Undo", attempt: Attempt[T, E]
) -> Result[T, E]:
    """Make *attempt* of *leaf* under the eyes of the observer, unless somebody stands in for the service."""
    around = RUN_CONTEXT.get()
    observer, stub = around.observer or UNOBSERVED, around.stub
    span = CallSpan(leaf.name, around.stage, leaf)
    observer.call_started(span)
    try:
        stubbed = None if stub is None else stub(span)
        # As sound as who stands in: it must know what the call gives.
        result = await attempt() if stubbed is None else cast("Result[T, E]", stubbed)
    except BaseException as error:
        observer.call_ended(span, error)
        raise
    observer.call_ended(span, result)
    return result


async def _limited(of: Call[T, E], seconds: float) -> Result[T, E | TimedOut]:
    """Make the call within *seconds*, which it sees as its deadline.

    It is cancelled a hundredth of a second later: whoever keeps to the deadline says best why it was late.
    """
    around, loop = RUN_CONTEXT.get(), asyncio.get_running_loop()
    end = loop.time() + seconds
    deadline = end if around.deadline is None else min(end, around.deadline)
    before = RUN_CONTEXT.set(replace(around, deadline=deadline))
    limit = asyncio.timeout(None)
    # From when the end is noticed: on a busy loop both might have come in the same turn.
    late = loop.call_at(end, lambda: limit.reschedule(loop.time() + _GRACE))
    bug: BaseException | None = None
    try:
        async with limit:
            try:
                return await of.make()
            except asyncio.CancelledError as cut_off:
                bug = cut_off.__cause__  # in a stage that was cut off; see `together`
                raise
    except TimeoutError:
        if not limit.expired():  # somebody else's: a bug, not an answer
            raise
        if bug is not None:
            raise bug from bug.__cause__
        detail = f"{of.name} took longer than {seconds:g} s"
        return Err(TimedOut(detail, source=of.name, budget=seconds))
    finally:
        late.cancel()
        RUN_CONTEXT.reset(before)


async def settled(value: T | Awaitable[T]) -> T:
    """Give *value*, or what awaiting it gives: a function given to the railway may be sync or async."""
    # Sound: of the two, only an `Awaitable` can be awaited.
    return await cast("Awaitable[T]", value) if inspect.isawaitable(value) else value
