"""What a call came to: a value, or a failure its caller was told to expect."""

import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final, Generic, Never, ParamSpec, TypeAlias, TypeVar, final, overload

from gateway.railway.errors import Unexpected

__all__ = ("Err", "Ok", "Result", "attempt", "attempt_async")

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

# The arm that a combinator passes by takes `Callable[[Never], object]`: every function of one argument
# fits, and a lambda given to the union of both classes is inferred from the other arm.


@final
@dataclass(frozen=True, slots=True)
class Ok(Generic[T_co]):
    """The call came to *value*; *lacks* names the optional calls it had to do without."""

    value: T_co
    lacks: tuple[str, ...] = field(default=(), kw_only=True)

    def map(self, change: Callable[[T_co], U]) -> "Ok[U]":
        """Change the value."""
        return Ok(change(self.value), lacks=self.lacks)

    def bind(self, then: Callable[[T_co], "Result[U, F]"]) -> "Result[U, F]":
        """Go on with another result, made from the value."""
        return then(self.value).lacking(self.lacks)

    def tap(self, look: Callable[[T_co], object]) -> "Ok[T_co]":
        """Show the value to *look*; nothing changes."""
        look(self.value)
        return self

    def ensure(self, holds: Callable[[T_co], bool], otherwise: Callable[[T_co], F]) -> "Ok[T_co] | Err[F]":
        """Fail with what *otherwise* makes of the value unless it *holds*."""
        return self if holds(self.value) else Err(otherwise(self.value))

    def check(self, inspect: Callable[[T_co], "Result[object, F]"]) -> "Ok[T_co] | Err[F]":
        """Fail as *inspect* fails; keep the value, and not its one."""
        match inspect(self.value):
            case Ok(lacks=lacks):
                return self if not lacks else replace(self, lacks=self.lacks + lacks)
            case Err() as failed:
                return failed

    def tap_error(self, look: Callable[[Never], object]) -> "Ok[T_co]":  # noqa: ARG002 - see above
        """There is no error to show."""
        return self

    def map_error(self, change: Callable[[Never], object]) -> "Ok[T_co]":  # noqa: ARG002 - see above
        """There is no error to change."""
        return self

    def recover(
        self,
        rescue: Callable[[Never], object],  # noqa: ARG002 - see above
        *,
        when: Callable[[Never], bool] | None = None,  # noqa: ARG002 - see above
    ) -> "Ok[T_co]":
        """There is nothing to recover from."""
        return self

    def match(self, ok: Callable[[T_co], U], err: Callable[[Never], object]) -> U:  # noqa: ARG002 - see above
        """Give what *ok* makes of the value."""
        return ok(self.value)

    def value_or(self, default: object) -> T_co:  # noqa: ARG002 - see above
        """Give the value."""
        return self.value

    def lacking(self, names: tuple[str, ...]) -> "Ok[T_co]":
        """Put *names* before what the value lacks."""
        return replace(self, lacks=names + self.lacks) if names else self


@final
@dataclass(frozen=True, slots=True)
class Err(Generic[E_co]):
    """The call came to *error*."""

    error: E_co

    def map(self, change: Callable[[Never], object]) -> "Err[E_co]":  # noqa: ARG002 - see above
        """There is no value to change."""
        return self

    def bind(self, then: Callable[[Never], object]) -> "Err[E_co]":  # noqa: ARG002 - see above
        """There is no value to go on with."""
        return self

    def tap(self, look: Callable[[Never], object]) -> "Err[E_co]":  # noqa: ARG002 - see above
        """There is no value to show."""
        return self

    def ensure(
        self,
        holds: Callable[[Never], bool],  # noqa: ARG002 - see above
        otherwise: Callable[[Never], object],  # noqa: ARG002 - see above
    ) -> "Err[E_co]":
        """There is no value to hold to anything."""
        return self

    def check(self, inspect: Callable[[Never], object]) -> "Err[E_co]":  # noqa: ARG002 - see above
        """There is no value to check."""
        return self

    def tap_error(self, look: Callable[[E_co], object]) -> "Err[E_co]":
        """Show the error to *look*; nothing changes."""
        look(self.error)
        return self

    def map_error(self, change: Callable[[E_co], F]) -> "Err[F]":
        """Change the error."""
        return Err(change(self.error))

    @overload
    def recover(self, rescue: Callable[[E_co], "Result[U, F]"]) -> "Result[U, F]": ...
    @overload
    def recover(
        self, rescue: Callable[[E_co], "Result[U, F]"], *, when: Callable[[E_co], bool]
    ) -> "Result[U, E_co | F]": ...
    def recover(
        self, rescue: Callable[[E_co], "Result[U, F]"], *, when: Callable[[E_co], bool] | None = None
    ) -> "Result[U, E_co | F]":
        """Give the failure (*when* it is one of those) one more chance to be a value."""
        return rescue(self.error) if when is None or when(self.error) else self

    def match(self, ok: Callable[[Never], object], err: Callable[[E_co], U]) -> U:  # noqa: ARG002 - see above
        """Give what *err* makes of the error."""
        return err(self.error)

    def value_or(self, default: U) -> U:
        """Give *default* instead."""
        return default

    def lacking(self, names: tuple[str, ...]) -> "Err[E_co]":  # noqa: ARG002 - see above
        """There is no value to lack anything."""
        return self


Result: TypeAlias = Ok[T] | Err[E]


def attempt(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Result[T, Unexpected]:
    """Call *function*; an exception is logged and becomes `Unexpected`.

    Only an `Exception` does: cancellation, the leaving of a run and exits of the process pass.
    """
    try:
        return Ok(function(*args, **kwargs))
    except Exception as error:  # noqa: BLE001 - that is what it is for
        return Err(_unexpected(error))


async def attempt_async(
    function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
) -> Result[T, Unexpected]:
    """Do as `attempt` does, with an async *function*."""
    try:
        return Ok(await function(*args, **kwargs))
    except Exception as error:  # noqa: BLE001 - that is what it is for
        return Err(_unexpected(error))


def _unexpected(error: Exception) -> Unexpected:
    fault = uuid.uuid4().hex
    _log.error("fault %s", fault, exc_info=error)
    return Unexpected(f"{type(error).__name__}: {error}", fault=fault)
