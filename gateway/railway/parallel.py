"""Parallel: calls that are made concurrently, described with combinators instead of a pipeline."""

from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Never, TypeVar, TypeVarTuple, final, overload

from gateway.railway.call import Call, Missing
from gateway.railway.context import current_context
from gateway.railway.errors import Aggregate, Failure, TimedOut
from gateway.railway.observer import SETTLE, Policy
from gateway.railway.result import Ok, Result, resolve
from gateway.railway.run_state import RunState
from gateway.railway.stage import run_stage

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
# One variable per call: if they shared one, mypy would infer a common base class, where pyright infers a union
# (python/mypy#12056). A TypeVarTuple has no `Call[T]` for each of its types yet (python/typing#1216).
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
    """Calls that are made concurrently; *call* makes them all, as a single call whose value is a tuple.

    The methods are those of `Call`, but the functions passed to them take the values as separate arguments.
    Calls that use earlier values are nested: `parallel(a, b).bind(lambda x, y: parallel(c(x), d(y)).map(...))`.
    """

    call: Call[tuple[*Ts], E_co]

    def __await__(self) -> Generator[Any, Any, Result[tuple[*Ts], E_co]]:
        """Make the calls and return their `Result`."""
        return self.call.__await__()

    @overload
    def map(self, change: Callable[[*Ts], Awaitable[U]]) -> Call[U, E_co]: ...
    @overload
    def map(self, change: Callable[[*Ts], U]) -> Call[U, E_co]: ...
    def map(self, change: Callable[[*Ts], U | Awaitable[U]]) -> Call[U, E_co]:
        """Apply *change* to the values."""

        async def change_all(values: tuple[*Ts]) -> U:
            return await resolve(change(*values))

        return self.call.map(change_all)

    def bind(self, then: Callable[[*Ts], Result[U, F] | Awaitable[Result[U, F]]]) -> Call[U, E_co | F]:
        """Continue with the result or call that *then* returns for the values."""
        return self.call.bind(lambda values: then(*values))

    def tap(self, look: Callable[[*Ts], object]) -> "Parallel[E_co, *Ts]":
        """Call *look* with the values, for its effect."""
        return Parallel(self.call.tap(lambda values: look(*values)))

    def ensure(
        self, holds: Callable[[*Ts], bool | Awaitable[bool]], otherwise: Callable[[*Ts], F]
    ) -> "Parallel[E_co | F, *Ts]":
        """Fail with the error that *otherwise* returns, unless *holds* is true of the values."""
        return Parallel(self.call.ensure(lambda values: holds(*values), lambda values: otherwise(*values)))

    def tap_error(self, look: Callable[[E_co], object]) -> "Parallel[E_co, *Ts]":
        """Call *look* with the failure, for its effect."""
        return Parallel(self.call.tap_error(look))

    def map_error(self, change: Callable[[E_co], F | Awaitable[F]]) -> "Parallel[F, *Ts]":
        """Apply *change* to the failure."""
        return Parallel(self.call.map_error(change))

    @overload
    def recover(self, rescue: Callable[[E_co], Ok[U] | Awaitable[Ok[U]]]) -> Call[tuple[*Ts] | U, Never]: ...
    @overload
    def recover(
        self, rescue: Callable[[E_co], Result[U, F] | Awaitable[Result[U, F]]]
    ) -> Call[tuple[*Ts] | U, F]: ...
    @overload
    def recover(
        self,
        rescue: Callable[[E_co], Result[U, F] | Awaitable[Result[U, F]]],
        *,
        when: Callable[[E_co], bool],
    ) -> Call[tuple[*Ts] | U, E_co | F]: ...
    def recover(
        self,
        rescue: Callable[[E_co], Result[U, F] | Awaitable[Result[U, F]]],
        *,
        when: Callable[[E_co], bool] | None = None,
    ) -> Call[tuple[*Ts] | U, E_co | F]:
        """Continue with the result or call that *rescue* returns for the failure, as `Call.recover` does."""
        return self.call.recover(rescue) if when is None else self.call.recover(rescue, when=when)

    @overload
    def optional(self) -> Call[tuple[*Ts] | Missing, Never]: ...
    @overload
    def optional(self, default: D, /) -> Call[tuple[*Ts] | D, Never]: ...
    def optional(self, *default: D) -> Call[tuple[*Ts] | D | Missing, Never]:
        """Never fail: replace a failure by *default*, or by `Missing`, as `Call.optional` does."""
        return self.call.optional(default[0]) if default else self.call.optional()

    def within(self, seconds: float) -> "Parallel[E_co | TimedOut, *Ts]":
        """Fail with `TimedOut` after *seconds*, as `Call.within` does."""
        return Parallel(self.call.within(seconds))


# One overload per line: the table is read downwards.
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
@overload
def parallel(a: Call[A, E1], /, *calls: Call[A, E1], name: str | None = None, policy: Policy = SETTLE) -> Parallel[E1 | Aggregate, *tuple[A, ...]]: ...
# fmt: on
def parallel(
    *calls: Call[Any, Any], name: str | None = None, policy: Policy = SETTLE
) -> Parallel[Any, *tuple[Any, ...]]:
    """Return a stage of *calls*, which starts when it is awaited.

    The observer sees the stage as *name*, by default the names of the calls joined by ` & `.
    """
    stage = name or " & ".join(call.name for call in calls)
    return Parallel(Call(stage, lambda: _make(stage, calls, policy), is_shaped=True))


def _make(
    stage: str, calls: Sequence[Call[Any, Any]], policy: Policy
) -> Coroutine[Any, Any, Result[tuple[Any, ...], Any]]:
    run = current_context().run
    if run is None or not run.is_between_stages:
        return run_stage(stage, calls, policy)
    return _make_between_stages(run, stage, calls, policy)


async def _make_between_stages(
    run: RunState, stage: str, calls: Sequence[Call[Any, Any]], policy: Policy
) -> Result[tuple[Any, ...], Any]:
    """Make a stage that *run* awaits outside of its own stages; keep a record, or repeat that of a rerun."""
    result: Result[tuple[Any, ...], Any] | None = None
    if run.replay is not None:
        result = run.replay.take(stage, calls)
    if result is None:
        result = await run_stage(stage, calls, policy)
    run.past.append((stage, calls, result))
    return result
