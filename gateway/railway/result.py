"""Result of a call: `Ok` with a value, or `Err` with an error."""

# An exception class, the first argument of `attempt`, is a function too.
# mypy: disable-error-code="overload-overlap"

import inspect
import logging
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Never, NoReturn, ParamSpec, TypeAlias, TypeVar, cast, final, overload

from gateway.railway.errors import Unexpected

__all__ = (
    "Attempt",
    "Err",
    "Ok",
    "Result",
    "attempt",
    "attempt_async",
    "on_error",
    "on_value",
    "refuse_no_result",
    "resolve",
)

_log: Final = logging.getLogger(__name__)
_ALL: Final = (Exception,)

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
X = TypeVar("X", bound=Exception)

# A method that never calls its argument declares it as `Callable[[Never], object]`. Every function of a
# single argument fits this type. When a lambda is passed to a method of the union `Result`, the type of the
# lambda is then inferred from the class that does call it.


def _refuse_awaitable(method: str, answer: T) -> T:
    """Return the *answer* of a function that was passed to *method*; raise `TypeError` if it is awaitable.

    Otherwise an async function would be called and never awaited, and `ensure` would always hold.
    """
    if inspect.isawaitable(answer):
        _close(answer)
        msg = (
            f"{method} of a result was given a function that returns a {type(answer).__name__}:"
            f" await it first, or use `Call.{method}`"
        )
        raise TypeError(msg)
    return answer


def _close(answer: object) -> None:
    """Close *answer* if it is a coroutine, which will never be awaited."""
    if inspect.iscoroutine(answer):
        answer.close()


@final
@dataclass(frozen=True, slots=True)
class Ok(Generic[T_co]):
    """A success with *value*; *lacks* names the optional calls whose values are missing."""

    value: T_co
    lacks: tuple[str, ...] = field(default=(), kw_only=True)

    def map(self, change: Callable[[T_co], U]) -> "Ok[U]":
        """Apply *change* to the value; raises `TypeError` if *change* returns an awaitable."""
        return Ok(_refuse_awaitable("map", change(self.value)), lacks=self.lacks)

    def bind(self, then: Callable[[T_co], "Result[U, F]"]) -> "Result[U, F]":
        """Return the result of *then* for the value, with the *lacks* of this success prepended."""
        return _refuse_awaitable("bind", then(self.value)).lacking(self.lacks)

    def tap(self, look: Callable[[T_co], object]) -> "Ok[T_co]":
        """Call *look* with the value, for its effect."""
        _refuse_awaitable("tap", look(self.value))
        return self

    def ensure(self, holds: Callable[[T_co], bool], otherwise: Callable[[T_co], F]) -> "Ok[T_co] | Err[F]":
        """Fail with the error that *otherwise* returns, unless *holds* is true of the value."""
        return self if _refuse_awaitable("ensure", holds(self.value)) else Err(otherwise(self.value))

    def check(self, inspect: Callable[[T_co], "Result[object, F]"]) -> "Ok[T_co] | Err[F]":
        """Return the failure that *inspect* returns for the value, if any, or else this success.

        The *lacks* of a success that *inspect* returns are appended to the *lacks* of this success.
        """
        match _refuse_awaitable("check", inspect(self.value)):
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
        _refuse_awaitable("tap_error", look(self.error))
        return self

    def map_error(self, change: Callable[[E_co], F]) -> "Err[F]":
        """Apply *change* to the error."""
        return Err(_refuse_awaitable("map_error", change(self.error)))

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
        if when is not None and not _refuse_awaitable("recover", when(self.error)):
            return self
        return _refuse_awaitable("recover", rescue(self.error))

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


def refuse_no_result(name: str, *answers: object) -> NoReturn:
    """Raise `TypeError`: not all *answers*, which the function *name* was given, are results."""
    for answer in answers:
        _close(answer)
    kind = next(type(answer) for answer in answers if not isinstance(answer, Ok | Err))
    msg = (
        f"{name} takes results, not a {kind.__name__}: await it first, or use `Run.each` for a list of calls"
    )
    raise TypeError(msg)


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


@overload
def attempt(
    exceptions: type[X] | tuple[type[X], ...], function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
) -> Result[T, X]: ...
@overload
def attempt(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Result[T, Unexpected]: ...
def attempt(*args: Any, **kwargs: Any) -> Result[Any, Any]:
    """Call *function* and return its value as `Ok`, or the exception that it raises as `Err`.

    Without *exceptions*, as in `attempt(parse, text)`, any exception is logged and returned as `Unexpected`.
    With *exceptions*, as in `attempt(ValueError, parse, text)`, only these classes are caught. They are
    expected: the exception itself is the error, for `map_error` to turn into a failure.

    Only an `Exception` is caught: `asyncio.CancelledError`, the exit of a run, `SystemExit` and
    `KeyboardInterrupt` propagate. Raises `TypeError` if *exceptions* has another class.
    """
    exceptions, function, rest = _split_exceptions(*args)
    try:
        return Ok(function(*rest, **kwargs))
    except exceptions as error:
        return Err(_report_bug(error) if exceptions is _ALL else error)


@overload
async def attempt_async(
    exceptions: type[X] | tuple[type[X], ...],
    function: Callable[P, Awaitable[T]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Result[T, X]: ...
@overload
async def attempt_async(
    function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
) -> Result[T, Unexpected]: ...
async def attempt_async(*args: Any, **kwargs: Any) -> Result[Any, Any]:
    """Call and await *function*; return its value as `Ok`, or an exception as `Err`, as `attempt` does."""
    exceptions, function, rest = _split_exceptions(*args)
    try:
        return Ok(await function(*rest, **kwargs))
    except exceptions as error:
        return Err(_report_bug(error) if exceptions is _ALL else error)


def _split_exceptions(
    first: object,
    /,
    *rest: Any,  # noqa: ANN401 - the arguments of any function
) -> tuple[tuple[type[Exception], ...], Callable[..., Any], tuple[Any, ...]]:
    """Return the exceptions to catch, the function, and its arguments."""
    if isinstance(first, type) and issubclass(first, BaseException):
        return _split_exceptions((first,), *rest)
    if not isinstance(first, tuple):
        # Sound: the overloads of `attempt` leave a function as the only alternative.
        return _ALL, cast("Callable[..., Any]", first), rest
    exceptions = cast("tuple[type[BaseException], ...]", first)
    for kind in exceptions:
        if not issubclass(kind, Exception):
            msg = f"cannot catch {kind.__name__}, which is not an Exception"
            raise TypeError(msg)
    # Sound: the loop has checked each class.
    return cast("tuple[type[Exception], ...]", exceptions), rest[0], rest[1:]


def _report_bug(error: Exception) -> Unexpected:
    fault = uuid.uuid4().hex
    _log.error("unexpected exception, fault id %s", fault, exc_info=error)
    return Unexpected(f"{type(error).__name__}: {error}", fault=fault)
