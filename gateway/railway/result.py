"""Result of a call: `Ok` with a value, or `Err` with an error."""

import inspect
import logging
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Never, ParamSpec, TypeAlias, TypeVar, cast, final, overload

from gateway.railway.errors import Unexpected

__all__ = ("Attempt", "Err", "Ok", "Result", "attempt", "attempt_async", "on_error", "on_value", "resolve")

_log: Final = logging.getLogger(__name__)

# Covariance is spelled out: pyright infers frozen generic dataclasses invariant from Python 3.13 on
# (https://github.com/microsoft/pyright/issues/11011).
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)
P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
E = TypeVar("E")
F = TypeVar("F")
G = TypeVar("G")

# A method that never calls its argument declares it as `Callable[[Never], object]`. Every function of a
# single argument fits this type. When a lambda is passed to a method of the union `Result`, the type of the
# lambda is then inferred from the class that does call it.


@final
@dataclass(frozen=True, slots=True)
class Ok(Generic[T_co]):
    """A success with *value*; *lacks* names the optional calls whose values are missing."""

    value: T_co
    lacks: tuple[str, ...] = field(default=(), kw_only=True)

    def map(self, change: Callable[[T_co], U]) -> "Ok[U]":
        """Apply *change* to the value."""
        return Ok(change(self.value), lacks=self.lacks)

    def bind(self, then: Callable[[T_co], "Result[U, F]"]) -> "Result[U, F]":
        """Return the result of *then* for the value, with the *lacks* of this success prepended."""
        return then(self.value).lacking(self.lacks)

    def tap(self, look: Callable[[T_co], object]) -> "Ok[T_co]":
        """Call *look* with the value, for its effect."""
        look(self.value)
        return self

    def ensure(self, holds: Callable[[T_co], bool], otherwise: Callable[[T_co], F]) -> "Ok[T_co] | Err[F]":
        """Fail with the error that *otherwise* returns, unless *holds* is true of the value."""
        return self if holds(self.value) else Err(otherwise(self.value))

    def check(self, inspect: Callable[[T_co], "Result[object, F]"]) -> "Ok[T_co] | Err[F]":
        """Return the failure that *inspect* returns for the value, if any, or else this success.

        The *lacks* of a success that *inspect* returns are appended to the *lacks* of this success.
        """
        match inspect(self.value):
            case Ok(lacks=lacks):
                return self if not lacks else replace(self, lacks=self.lacks + lacks)
            case Err() as failed:
                return failed

    def tap_error(self, look: Callable[[Never], object]) -> "Ok[T_co]":  # noqa: ARG002 - see above
        """Do nothing: there is no error."""
        return self

    def map_error(self, change: Callable[[Never], object]) -> "Ok[T_co]":  # noqa: ARG002 - see above
        """Do nothing: there is no error."""
        return self

    def recover(
        self,
        rescue: Callable[[Never], object],  # noqa: ARG002 - see above
        *,
        when: Callable[[Never], bool] | None = None,  # noqa: ARG002 - see above
    ) -> "Ok[T_co]":
        """Do nothing: there is no error."""
        return self

    def match(self, ok: Callable[[T_co], U], err: Callable[[Never], object]) -> U:  # noqa: ARG002 - see above
        """Return the answer of *ok* for the value."""
        return ok(self.value)

    def value_or(self, default: object) -> T_co:  # noqa: ARG002 - see above
        """Return the value."""
        return self.value

    def lacking(self, names: tuple[str, ...]) -> "Ok[T_co]":
        """Return this success with *names* prepended to *lacks*."""
        return replace(self, lacks=names + self.lacks) if names else self


@final
@dataclass(frozen=True, slots=True)
class Err(Generic[E_co]):
    """A failure with *error*."""

    error: E_co

    def map(self, change: Callable[[Never], object]) -> "Err[E_co]":  # noqa: ARG002 - see above
        """Do nothing: there is no value."""
        return self

    def bind(self, then: Callable[[Never], object]) -> "Err[E_co]":  # noqa: ARG002 - see above
        """Do nothing: there is no value."""
        return self

    def tap(self, look: Callable[[Never], object]) -> "Err[E_co]":  # noqa: ARG002 - see above
        """Do nothing: there is no value."""
        return self

    def ensure(
        self,
        holds: Callable[[Never], bool],  # noqa: ARG002 - see above
        otherwise: Callable[[Never], object],  # noqa: ARG002 - see above
    ) -> "Err[E_co]":
        """Do nothing: there is no value."""
        return self

    def check(self, inspect: Callable[[Never], object]) -> "Err[E_co]":  # noqa: ARG002 - see above
        """Do nothing: there is no value."""
        return self

    def tap_error(self, look: Callable[[E_co], object]) -> "Err[E_co]":
        """Call *look* with the error, for its effect."""
        look(self.error)
        return self

    def map_error(self, change: Callable[[E_co], F]) -> "Err[F]":
        """Apply *change* to the error."""
        return Err(change(self.error))

    @overload
    def recover(self, rescue: Callable[[E_co], "Result[U, F]"]) -> "Result[U, F]": ...
    @overload
    def recover(
        self, rescue: Callable[[E_co], "Result[U, F]"], *, when: Callable[[E_co], bool] | None
    ) -> "Result[U, E_co | F]": ...
    def recover(
        self, rescue: Callable[[E_co], "Result[U, F]"], *, when: Callable[[E_co], bool] | None = None
    ) -> "Result[U, E_co | F]":
        """Return the result of *rescue* for the error.

        If *when* is given and false of the error, return this failure instead.
        """
        return rescue(self.error) if when is None or when(self.error) else self

    def match(self, ok: Callable[[Never], object], err: Callable[[E_co], U]) -> U:  # noqa: ARG002 - see above
        """Return the answer of *err* for the error."""
        return err(self.error)

    def value_or(self, default: U) -> U:
        """Return *default*."""
        return default

    def lacking(self, names: tuple[str, ...]) -> "Err[E_co]":  # noqa: ARG002 - see above
        """Do nothing: there is no value."""
        return self


Result: TypeAlias = Ok[T] | Err[E]

Attempt: TypeAlias = Callable[[], Coroutine[Any, Any, Result[T, E]]]
"""Async function without arguments that makes a call once."""


async def on_value(result: Result[T, E], function: Callable[[T], G | Awaitable[G]]) -> Callable[[T], G]:
    """Return a sync function that a method of *result* can call in place of *function*, which may be async.

    If *result* has a value, *function* is called with it here, in advance, and the returned function only
    returns the answer.
    """
    if isinstance(result, Err):
        return cast("Callable[[T], G]", function)  # sound: `Err` does not call it
    answer = await resolve(function(result.value))
    return lambda _: answer


async def on_error(
    result: Result[T, E], function: Callable[[E], G | Awaitable[G]], when: Callable[[E], bool] | None = None
) -> Callable[[E], G]:
    """Return a sync function that a method of *result* can call in place of *function*, which may be async.

    If *result* has an error, and *when* is None or true of the error, *function* is called with the error
    here, in advance, and the returned function only returns the answer.
    """
    if isinstance(result, Ok) or (when is not None and not when(result.error)):
        return cast("Callable[[E], G]", function)  # sound: neither `Ok` nor such an `Err` calls it
    answer = await resolve(function(result.error))
    return lambda _: answer


async def resolve(value: T | Awaitable[T]) -> T:
    """Return *value*, awaited if it is awaitable."""
    # Sound: of the two, only an `Awaitable` can be awaited.
    return await cast("Awaitable[T]", value) if inspect.isawaitable(value) else value


def attempt(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Result[T, Unexpected]:
    """Call *function* and return its value as `Ok`; if it raises, log the exception and return `Unexpected`.

    Only an `Exception` is caught: `asyncio.CancelledError`, the exit of a run, `SystemExit` and
    `KeyboardInterrupt` propagate.
    """
    try:
        return Ok(function(*args, **kwargs))
    except Exception as error:  # noqa: BLE001 - this turns exceptions into values
        return Err(_report_bug(error))


async def attempt_async(
    function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
) -> Result[T, Unexpected]:
    """Call and await *function*; return its value as `Ok`, or `Unexpected`, as `attempt` does."""
    try:
        return Ok(await function(*args, **kwargs))
    except Exception as error:  # noqa: BLE001 - this turns exceptions into values
        return Err(_report_bug(error))


def _report_bug(error: Exception) -> Unexpected:
    fault = uuid.uuid4().hex
    _log.error("unexpected exception, fault id %s", fault, exc_info=error)
    return Unexpected(f"{type(error).__name__}: {error}", fault=fault)
