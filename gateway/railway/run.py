"""One trip through a pipeline, and the pipeline as its callers see it."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import get_annotations, signature
from types import SimpleNamespace, UnionType
from typing import (
    Any,
    Concatenate,
    Generic,
    Never,
    NoReturn,
    ParamSpec,
    TypeVar,
    Union,
    cast,
    final,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

from gateway.railway.call import Call
from gateway.railway.errors import Aggregate, Failure
from gateway.railway.result import Err, Ok, Result
from gateway.railway.stage import SETTLE, Leaving, Policy, together
from gateway.railway.surroundings import SURROUNDINGS, Surroundings

__all__ = ("Pipeline", "Run", "RunMisused", "railway")

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=Failure)
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", bound=Failure, covariant=True)
E_contra = TypeVar("E_contra", bound=Failure, contravariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
G = TypeVar("G")
H = TypeVar("H")
J = TypeVar("J")
K = TypeVar("K")
M = TypeVar("M")


class RunMisused(RuntimeError):  # noqa: N818 - it says what happened
    """A bug in a pipeline: its run was used after its end, twice at once, or kept from being left."""


class _Leaving(Leaving):
    """Carries a failure out of its own run."""

    def __init__(self, trip: "_Trip", error: Failure) -> None:
        super().__init__(error)
        self.trip = trip
        self.error = error


@final
@dataclass(eq=False, slots=True)
class _Trip:
    """How far a run has come."""

    is_over: bool = False
    is_left: bool = False
    stage: str | None = None
    lacks: tuple[str, ...] = ()

    def take(self, result: Result[T, Failure]) -> T:
        self.check()
        if isinstance(result, Err):
            self.leave(result.error)
        self.lacks += result.lacks
        return result.value

    def leave(self, error: Failure) -> NoReturn:
        self.check()
        self.is_left = True
        raise _Leaving(self, error)

    def check(self) -> None:
        if self.is_over:
            msg = "this run is over"
            raise RunMisused(msg)
        # Two calls of one stage may both leave; neither has been caught yet.
        if self.is_left and self.stage is None:
            msg = "a failure was caught on its way out of this run"
            raise RunMisused(msg)

    def begin(self, stage: str) -> None:
        self.check()
        if self.stage is not None:
            msg = f"stage {stage!r} begins while stage {self.stage!r} of the same run is open"
            raise RunMisused(msg)
        self.stage = stage


@final
class Run(Generic[E_contra]):
    """What a pipeline holds while it runs: it makes stages, and leaves by failing.

    `E` is every failure the pipeline promises its callers; both type checkers refuse a call that can fail in
    another way. A run with stages promises `Aggregate`, since several calls can fail at once.

    To leave is to raise a `BaseException` that only the run's own `@railway` function stops. A pipeline that
    keeps it from getting there, uses a run after its end or begins a stage inside another raises `RunMisused`.
    """

    __slots__ = ("_trip",)

    def __init__(self, trip: _Trip) -> None:
        self._trip = trip

    def fail(self, error: E_contra) -> NoReturn:
        """Leave the run with *error*."""
        self._trip.leave(error)

    def take(self, result: Result[T, E_contra]) -> T:
        """Give the value of *result*, or leave the run with its error."""
        return self._trip.take(result)

    # Self-types that differ make mypy drop overloads, so one call alone wants `Aggregate` promised as well.
    # One overload a line: the table is read downwards.
    # fmt: off
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], c: Call[C, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B, C]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], c: Call[C, E_contra], d: Call[D, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B, C, D]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], c: Call[C, E_contra], d: Call[D, E_contra], g: Call[G, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B, C, D, G]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], c: Call[C, E_contra], d: Call[D, E_contra], g: Call[G, E_contra], h: Call[H, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B, C, D, G, H]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], c: Call[C, E_contra], d: Call[D, E_contra], g: Call[G, E_contra], h: Call[H, E_contra], j: Call[J, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B, C, D, G, H, J]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], c: Call[C, E_contra], d: Call[D, E_contra], g: Call[G, E_contra], h: Call[H, E_contra], j: Call[J, E_contra], k: Call[K, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B, C, D, G, H, J, K]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], c: Call[C, E_contra], d: Call[D, E_contra], g: Call[G, E_contra], h: Call[H, E_contra], j: Call[J, E_contra], k: Call[K, E_contra], m: Call[M, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B, C, D, G, H, J, K, M]: ...
    # fmt: on
    async def stage(self, name: str, /, *calls: Call[Any, Any], policy: Policy = SETTLE) -> tuple[Any, ...]:
        """Make all *calls* at once; give their values in argument order, or leave the run.

        See `Policy` for what a failed call means, and `together` for exceptions and cancellation.
        """
        self._trip.begin(name)
        try:
            result = await together(name, calls, policy)
        finally:
            self._trip.stage = None
        return self._trip.take(result)


@final
@dataclass(frozen=True, slots=True)
class Pipeline(Generic[P, T_co, E_co]):
    """A pipeline as its callers see it: call it, await a `Result`."""

    function: Callable[Concatenate[Run[E_co], P], Awaitable[T_co]]
    surroundings: Surroundings | None = None

    @property
    def name(self) -> str:
        """Say what the pipeline is called: as its function is."""
        return cast("str", getattr(self.function, "__name__"))  # noqa: B009 - no attribute of a `Callable`

    @property
    def promised(self) -> tuple[type[Failure], ...]:
        """Give every class of failure that the annotation of the run names, in its order.

        Raises `TypeError` where the first argument is not annotated with `Run[...]`.
        """
        # That annotation alone: the others may name what only a type checker imports.
        name = next(iter(signature(self.function).parameters), "")
        alone = SimpleNamespace(__annotations__={name: get_annotations(self.function).get(name)})
        hint = get_type_hints(alone, vars(sys.modules[self.function.__module__]))[name]
        if get_origin(hint) is not Run:
            msg = f"{self.name} does not say what its run promises: annotate its first argument with Run[...]"
            raise TypeError(msg)
        (errors,) = get_args(hint)
        if errors is Never:
            return ()
        is_union = get_origin(errors) in {Union, UnionType}
        return cast("tuple[type[Failure], ...]", get_args(errors) if is_union else (errors,))

    def on(self, surroundings: Surroundings) -> "Pipeline[P, T_co, E_co]":
        """Give the run its *surroundings*; without, it has those of the run it is part of, or none."""
        return Pipeline(self.function, surroundings)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Result[T_co, E_co]:
        """Run the pipeline once."""
        if self.surroundings is None:
            return await self._run(*args, **kwargs)
        before = SURROUNDINGS.set(self.surroundings)
        try:
            return await self._run(*args, **kwargs)
        finally:
            SURROUNDINGS.reset(before)

    async def _run(self, *args: P.args, **kwargs: P.kwargs) -> Result[T_co, E_co]:
        trip = _Trip()
        try:
            value = await self.function(Run(trip), *args, **kwargs)
        except _Leaving as leaving:
            if leaving.trip is not trip:
                raise
            # Sound: only the methods of this `Run[E_co]` leave its trip.
            return Err(cast("E_co", leaving.error))
        except BaseExceptionGroup as group:
            if group.subgroup(_Leaving) is None:
                raise
            msg = "a run was left inside a task group"
            raise RunMisused(msg) from group
        finally:
            trip.is_over = True
        if trip.is_left:
            msg = "a failure was caught on its way out of this run"
            raise RunMisused(msg)
        if trip.stage is not None:
            msg = f"the run ended while its stage {trip.stage!r} was open"
            raise RunMisused(msg)
        return Ok(value, lacks=trip.lacks)


def railway(pipeline: Callable[Concatenate[Run[E], P], Awaitable[T]]) -> Pipeline[P, T, E]:
    """Give *pipeline* a fresh run each time, and turn the way it ends into a `Result`."""
    return Pipeline(pipeline)
