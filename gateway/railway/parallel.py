"""Calls side by side, for those who like the chain."""

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, TypeVarTuple, final, overload

from gateway.railway.call import Call, settled
from gateway.railway.errors import Aggregate, Failure, TimedOut
from gateway.railway.result import Result
from gateway.railway.stage import SETTLE, Policy, together

__all__ = ("Parallel", "parallel")

Ts = TypeVarTuple("Ts")
U = TypeVar("U")
F = TypeVar("F", bound=Failure)
E_co = TypeVar("E_co", bound=Failure, covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
G = TypeVar("G")
H = TypeVar("H")
J = TypeVar("J")
K = TypeVar("K")
M = TypeVar("M")
E1 = TypeVar("E1", bound=Failure)
E2 = TypeVar("E2", bound=Failure)
E3 = TypeVar("E3", bound=Failure)
E4 = TypeVar("E4", bound=Failure)
E5 = TypeVar("E5", bound=Failure)
E6 = TypeVar("E6", bound=Failure)
E7 = TypeVar("E7", bound=Failure)
E8 = TypeVar("E8", bound=Failure)
E9 = TypeVar("E9", bound=Failure)


@final
@dataclass(frozen=True, slots=True)
class Parallel(Generic[E_co, *Ts]):
    """Calls to be made at once; a function given to it takes one value from each, and may be sync or async.

    Only *otherwise* must be sync. *whole* is the same as one call of a tuple. Nest chains to keep earlier
    values in reach: `parallel(a, b).bind(lambda x, y: parallel(c(x), d(y)).map(...))`.
    """

    whole: Call[tuple[*Ts], E_co]

    def __await__(self) -> Generator[Any, Any, Result[tuple[*Ts], E_co]]:
        """Make the calls."""
        return self.whole.__await__()

    @overload
    def map(self, change: Callable[[*Ts], Awaitable[U]]) -> Call[U, E_co]: ...
    @overload
    def map(self, change: Callable[[*Ts], U]) -> Call[U, E_co]: ...
    def map(self, change: Callable[[*Ts], U | Awaitable[U]]) -> Call[U, E_co]:
        """Make one value of all."""

        async def mapped(values: tuple[*Ts]) -> U:
            return await settled(change(*values))

        return self.whole.map(mapped)

    def bind(self, then: Callable[[*Ts], Result[U, F] | Awaitable[Result[U, F]]]) -> Call[U, E_co | F]:
        """Go on with further calls, or a result, made from the values."""
        return self.whole.bind(lambda values: then(*values))

    def tap(self, look: Callable[[*Ts], object]) -> "Parallel[E_co, *Ts]":
        """Show the values to *look*; nothing changes."""
        return Parallel(self.whole.tap(lambda values: look(*values)))

    def ensure(
        self, holds: Callable[[*Ts], bool | Awaitable[bool]], otherwise: Callable[[*Ts], F]
    ) -> "Parallel[E_co | F, *Ts]":
        """Fail with what *otherwise* makes of the values unless they *hold*."""
        return Parallel(self.whole.ensure(lambda values: holds(*values), lambda values: otherwise(*values)))

    def tap_error(self, look: Callable[[E_co], object]) -> "Parallel[E_co, *Ts]":
        """Show the failure to *look*; nothing changes."""
        return Parallel(self.whole.tap_error(look))

    def map_error(self, change: Callable[[E_co], F | Awaitable[F]]) -> "Parallel[F, *Ts]":
        """Change the failure."""
        return Parallel(self.whole.map_error(change))

    def within(self, seconds: float) -> "Parallel[E_co | TimedOut, *Ts]":
        """Give up after *seconds*, with `TimedOut`."""
        return Parallel(self.whole.within(seconds))


# One overload a line: the table is read downwards.
# fmt: off
@overload
def parallel(a: Call[A, E1], /, *, name: str | None = None, policy: Policy = SETTLE) -> Parallel[E1, A]: ...
@overload
def parallel(a: Call[A, E1], b: Call[B, E2], /, *, name: str | None = None, policy: Policy = SETTLE) -> Parallel[E1 | E2 | Aggregate, A, B]: ...
@overload
def parallel(a: Call[A, E1], b: Call[B, E2], c: Call[C, E3], /, *, name: str | None = None, policy: Policy = SETTLE) -> Parallel[E1 | E2 | E3 | Aggregate, A, B, C]: ...
@overload
def parallel(a: Call[A, E1], b: Call[B, E2], c: Call[C, E3], d: Call[D, E4], /, *, name: str | None = None, policy: Policy = SETTLE) -> Parallel[E1 | E2 | E3 | E4 | Aggregate, A, B, C, D]: ...
@overload
def parallel(a: Call[A, E1], b: Call[B, E2], c: Call[C, E3], d: Call[D, E4], g: Call[G, E5], /, *, name: str | None = None, policy: Policy = SETTLE) -> Parallel[E1 | E2 | E3 | E4 | E5 | Aggregate, A, B, C, D, G]: ...
@overload
def parallel(a: Call[A, E1], b: Call[B, E2], c: Call[C, E3], d: Call[D, E4], g: Call[G, E5], h: Call[H, E6], /, *, name: str | None = None, policy: Policy = SETTLE) -> Parallel[E1 | E2 | E3 | E4 | E5 | E6 | Aggregate, A, B, C, D, G, H]: ...
@overload
def parallel(a: Call[A, E1], b: Call[B, E2], c: Call[C, E3], d: Call[D, E4], g: Call[G, E5], h: Call[H, E6], j: Call[J, E7], /, *, name: str | None = None, policy: Policy = SETTLE) -> Parallel[E1 | E2 | E3 | E4 | E5 | E6 | E7 | Aggregate, A, B, C, D, G, H, J]: ...
@overload
def parallel(a: Call[A, E1], b: Call[B, E2], c: Call[C, E3], d: Call[D, E4], g: Call[G, E5], h: Call[H, E6], j: Call[J, E7], k: Call[K, E8], /, *, name: str | None = None, policy: Policy = SETTLE) -> Parallel[E1 | E2 | E3 | E4 | E5 | E6 | E7 | E8 | Aggregate, A, B, C, D, G, H, J, K]: ...
@overload
def parallel(a: Call[A, E1], b: Call[B, E2], c: Call[C, E3], d: Call[D, E4], g: Call[G, E5], h: Call[H, E6], j: Call[J, E7], k: Call[K, E8], m: Call[M, E9], /, *, name: str | None = None, policy: Policy = SETTLE) -> Parallel[E1 | E2 | E3 | E4 | E5 | E6 | E7 | E8 | E9 | Aggregate, A, B, C, D, G, H, J, K, M]: ...
# fmt: on
def parallel(
    *calls: Call[Any, Any], name: str | None = None, policy: Policy = SETTLE
) -> Parallel[Any, *tuple[Any, ...]]:
    """Describe a stage: *calls* that are made at once, when it is awaited.

    It fails with the failure of one call, or with what `combined` makes of several. An observer sees it as a
    stage called *name*, or as the calls are called.
    """
    known_as = name or " & ".join(call.name for call in calls)
    return Parallel(Call(known_as, lambda: together(known_as, calls, policy), is_shaped=True))
