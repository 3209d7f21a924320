"""A pipeline as its callers see it."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from inspect import get_annotations, signature
from types import SimpleNamespace, UnionType
from typing import (
    Concatenate,
    Generic,
    Never,
    ParamSpec,
    TypeVar,
    Union,
    cast,
    final,
    get_args,
    get_origin,
    get_type_hints,
)

from gateway.railway.errors import Failure
from gateway.railway.misused import RunMisused
from gateway.railway.result import Err, Ok, Result
from gateway.railway.run import Run
from gateway.railway.surroundings import SURROUNDINGS, Surroundings
from gateway.railway.trip import RunLeaving, Trip

__all__ = ("Pipeline", "railway")

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=Failure)
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", bound=Failure, covariant=True)


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
        trip = Trip(self.name, is_nested=around.is_in_run)
        before = SURROUNDINGS.set(replace(around, is_in_run=True))
        try:
            return await self._run(trip, *args, **kwargs)
        finally:
            SURROUNDINGS.reset(before)

    async def _run(self, trip: Trip, *args: P.args, **kwargs: P.kwargs) -> Result[T_co, E_co]:
        try:
            value = await self.function(Run(trip), *args, **kwargs)
        except RunLeaving as leaving:
            if leaving.trip is not trip:
                raise
            # Sound: only the methods of this `Run[E_co]` leave its trip.
            return Err(cast("E_co", leaving.error))
        except BaseExceptionGroup as group:
            if group.subgroup(RunLeaving) is None:
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
