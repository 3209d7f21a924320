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

from gateway.railway.context import RUN_CONTEXT, RunContext
from gateway.railway.errors import Failure
from gateway.railway.misused import RunMisused
from gateway.railway.result import Err, Ok, Result
from gateway.railway.run import Run
from gateway.railway.run_state import RunLeaving, RunState

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
    context: RunContext | None = None

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

    def on(self, context: RunContext) -> "Pipeline[P, T_co, E_co]":
        """Give the run its *context*; without, it has those of the run it is part of, or none."""
        return Pipeline(self.function, context)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Result[T_co, E_co]:
        """Run the pipeline once."""
        around = self.context or RUN_CONTEXT.get()
        state = RunState(self.name, is_nested=around.is_in_run)
        before = RUN_CONTEXT.set(replace(around, is_in_run=True))
        try:
            return await self._run(state, *args, **kwargs)
        finally:
            RUN_CONTEXT.reset(before)

    async def _run(self, state: RunState, *args: P.args, **kwargs: P.kwargs) -> Result[T_co, E_co]:
        try:
            value = await self.function(Run(state), *args, **kwargs)
        except RunLeaving as leaving:
            if leaving.state is not state:
                raise
            # Sound: only the methods of this `Run[E_co]` leave its state.
            return Err(cast("E_co", leaving.error))
        except BaseExceptionGroup as group:
            if group.subgroup(RunLeaving) is None:
                raise
            msg = "a run was left inside a task group"
            raise RunMisused(msg) from group
        finally:
            state.is_over = True
        if state.is_left:
            msg = "a failure was caught on its way out of this run"
            raise RunMisused(msg)
        if state.stage is not None:
            msg = f"the run ended while its stage {state.stage!r} was open"
            raise RunMisused(msg)
        return Ok(value, lacks=state.lacks)


def railway(pipeline: Callable[Concatenate[Run[E], P], Awaitable[T]]) -> Pipeline[P, T, E]:
    """Give *pipeline* a fresh run each time, and turn the way it ends into a `Result`."""
    return Pipeline(pipeline)
