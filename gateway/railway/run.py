"""One trip through a pipeline, and the pipeline as its callers see it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from inspect import get_annotations, signature
from secrets import token_hex
from types import SimpleNamespace, UnionType
from typing import (
    Any,
    Concatenate,
    Generic,
    Never,
    NoReturn,
    ParamSpec,
    TypeAlias,
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
from gateway.railway.commit import IN_ORDER, Order, commit, intents
from gateway.railway.errors import Aggregate, Failure, Stuck, Unavailable
from gateway.railway.journal import Beginning, Recorded, key_of
from gateway.railway.misused import RunMisused
from gateway.railway.result import Err, Ok, Result
from gateway.railway.sheltered import sheltered
from gateway.railway.stage import SETTLE, Leaving, Policy, together
from gateway.railway.surroundings import SURROUNDINGS, Surroundings
from gateway.railway.write import Step, Write

__all__ = ("Pipeline", "Run", "railway")

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


class _Leaving(Leaving):
    """Carries a failure out of its own run."""

    def __init__(self, trip: "_Trip", error: Failure) -> None:
        super().__init__(error)
        self.trip = trip
        self.error = error


_Past: TypeAlias = tuple[str, Sequence[Call[Any, Any]], tuple[object, ...]]
"""A stage that has succeeded: its name, its calls, and their values."""


@final
@dataclass(eq=False, slots=True)
class _Trip:
    """How far a run of *pipeline* has come."""

    pipeline: str
    is_nested: bool = False
    is_over: bool = False
    is_left: bool = False
    has_committed: bool = False
    stage: str | None = None
    made_up_id: str | None = None
    lacks: tuple[str, ...] = ()
    past: list[_Past] = field(default_factory=list[_Past])

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

    @property
    def execution_id(self) -> str:
        if (given := SURROUNDINGS.get().execution_id) is not None:
            return given
        self.made_up_id = self.made_up_id or f"exe-{token_hex(16)}"
        return self.made_up_id

    @property
    def key_prefix(self) -> str:
        return SURROUNDINGS.get().key_prefix or self.execution_id

    def refuse_to_fail(self, what: str) -> None:
        if self.has_committed:
            msg = f"{what} after a commit, which is the point of no return"
            raise RunMisused(msg)

    def begin(self, stage: str) -> None:
        self.check()
        if self.stage is not None:
            msg = f"stage {stage!r} begins while stage {self.stage!r} of the same run is open"
            raise RunMisused(msg)
        self.stage = stage

    def admitted(self, stage: str, calls: Sequence[Step[T, E]]) -> Sequence[Call[T, E]]:
        """Give *calls* as the stage may make them; raise `RunMisused` if it may not make all of them."""
        made: list[Call[T, E]] = []
        for call in calls:
            if isinstance(call, Write):
                msg = f"{call.name} in stage {stage!r}: a write is made by a commit"
                raise RunMisused(msg)
            if call.keyed is not None and not self.has_committed:
                msg = f"{call.name} in stage {stage!r}: a best-effort write is made after a commit"
                raise RunMisused(msg)
            made.append(call)
        return [*self._unfailing(stage, made)] if self.has_committed else made

    def _unfailing(self, stage: str, calls: Sequence[Call[T, E]]) -> Iterator[Call[T, E]]:
        # Two stages may have the same name, and one that of the commit: their writes are not the same.
        known_as = f"{len(self.past)}-{stage}"
        for place, call in enumerate(calls):
            if not call.is_optional:
                self.refuse_to_fail(f"{call.name}, which can fail, in stage {stage!r}")
            yield call.keyed(key_of(self.key_prefix, known_as, place, call.name)) if call.keyed else call

    @property
    def recorded(self) -> tuple[Recorded, ...]:
        return tuple(
            Recorded(stage, tuple(call.name for call in calls), values) for stage, calls, values in self.past
        )


@final
class Run(Generic[E_contra]):
    """What a pipeline holds while it runs: it makes stages, and leaves by failing.

    `E` is every failure the pipeline promises its callers; both type checkers refuse a call that can fail in
    another way. A run with stages promises `Aggregate`, since several calls can fail at once.

    To leave is to raise a `BaseException` that only the run's own `@railway` function stops. A pipeline that
    keeps it from getting there, uses a run after its end or begins a stage inside another raises `RunMisused`.

    A run that writes does so in one commit, after which it can no longer fail; so a run that is part of another
    does not write.
    """

    __slots__ = ("_trip",)

    def __init__(self, trip: _Trip) -> None:
        self._trip = trip

    @property
    def execution_id(self) -> str:
        """Give what this run's commit is known by: the same again if the run is made again after a crash."""
        return self._trip.execution_id

    def fail(self, error: E_contra) -> NoReturn:
        """Leave the run with *error*."""
        self._trip.refuse_to_fail("the run fails")
        self._trip.leave(error)

    def take(self, result: Result[T, E_contra]) -> T:
        """Give the value of *result*, or leave the run with its error."""
        if isinstance(result, Err):
            self._trip.refuse_to_fail("the run fails")
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

        See `Policy` for what a failed call means, and `together` for exceptions and cancellation. After a
        commit a call must be optional, and a best-effort write may be one of them.
        """
        trip = self._trip
        trip.begin(name)
        try:
            result = await together(name, trip.admitted(name, calls), policy)
        finally:
            trip.stage = None
        values = trip.take(result)
        trip.past.append((name, calls, values))
        return values

    # The same again, for a commit.
    # fmt: off
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], /, *, order: Order = IN_ORDER) -> tuple[A]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], /, *, order: Order = IN_ORDER) -> tuple[A, B]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], c: Step[C, E_contra], /, *, order: Order = IN_ORDER) -> tuple[A, B, C]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], c: Step[C, E_contra], d: Step[D, E_contra], /, *, order: Order = IN_ORDER) -> tuple[A, B, C, D]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], c: Step[C, E_contra], d: Step[D, E_contra], g: Step[G, E_contra], /, *, order: Order = IN_ORDER) -> tuple[A, B, C, D, G]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], c: Step[C, E_contra], d: Step[D, E_contra], g: Step[G, E_contra], h: Step[H, E_contra], /, *, order: Order = IN_ORDER) -> tuple[A, B, C, D, G, H]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], c: Step[C, E_contra], d: Step[D, E_contra], g: Step[G, E_contra], h: Step[H, E_contra], j: Step[J, E_contra], /, *, order: Order = IN_ORDER) -> tuple[A, B, C, D, G, H, J]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], c: Step[C, E_contra], d: Step[D, E_contra], g: Step[G, E_contra], h: Step[H, E_contra], j: Step[J, E_contra], k: Step[K, E_contra], /, *, order: Order = IN_ORDER) -> tuple[A, B, C, D, G, H, J, K]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], c: Step[C, E_contra], d: Step[D, E_contra], g: Step[G, E_contra], h: Step[H, E_contra], j: Step[J, E_contra], k: Step[K, E_contra], m: Step[M, E_contra], /, *, order: Order = IN_ORDER) -> tuple[A, B, C, D, G, H, J, K, M]: ...
    # fmt: on
    async def commit(self, name: str, /, *steps: Step[Any, Any], order: Order = IN_ORDER) -> tuple[Any, ...]:
        """Make writes, and reads that ride along; give what all came to, or undo the writes and leave the run.

        It begins only if the reserve is left of the run's deadline, else the run is left with `Unavailable` and
        nothing has been written. From then on neither deadline nor cancellation cuts the commit, nor the
        deadline what comes after it. See `commit` in `gateway.railway.commit` for all else.
        """
        trip, around = self._trip, SURROUNDINGS.get()
        trip.begin(name)
        try:
            trip.refuse_to_fail(f"another commit, {name!r},")
            if trip.is_nested:
                msg = f"commit {name!r} is inside another run, which may fail after it"
                raise RunMisused(msg)
            _refuse_what_stays(name, steps)
            if not _has_time(around):
                trip.leave(Unavailable("There is too little time left to begin the commit", was_sent=False))
            trip.has_committed = True
            known_as = trip.execution_id
            meant = intents(trip.key_prefix, name, steps)
            of = Beginning(known_as, trip.pipeline, name, meant, trip.recorded)
            result = await sheltered(commit(of, steps, order))
        finally:
            trip.stage = None
        SURROUNDINGS.set(replace(SURROUNDINGS.get(), deadline=None))
        return trip.take(result)


def _refuse_what_stays(name: str, steps: Sequence[Step[Any, Any]]) -> None:
    """Raise `RunMisused` unless there is something to write, and all of that can be undone."""
    if not any(isinstance(step, Write) for step in steps):
        msg = f"commit {name!r} has no write: it is a stage"
        raise RunMisused(msg)
    for step in steps:
        if step.undo is None if isinstance(step, Write) else step.keyed is not None:
            msg = f"{step.name} cannot be undone: no part of commit {name!r}, but best effort after it"
            raise RunMisused(msg)


def _has_time(around: Surroundings) -> bool:
    now = asyncio.get_running_loop().time()
    return around.deadline is None or around.deadline - now >= around.commits.reserve


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
        around = self.surroundings or SURROUNDINGS.get()
        trip = _Trip(self.name, is_nested=around.is_in_run)
        before = SURROUNDINGS.set(replace(around, is_in_run=True))
        try:
            return await self._run(trip, *args, **kwargs)
        finally:
            SURROUNDINGS.reset(before)

    async def _run(self, trip: _Trip, *args: P.args, **kwargs: P.kwargs) -> Result[T_co, E_co]:
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
