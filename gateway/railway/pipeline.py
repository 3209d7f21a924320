"""Pipeline: an async function of a `Run`, as its callers see it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
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

from gateway.railway.context import ContextChange, RunContext, change_context, current_context
from gateway.railway.errors import Failure, Unavailable
from gateway.railway.observer import CallSpan
from gateway.railway.result import Err, Ok, Result
from gateway.railway.run import Run
from gateway.railway.run_state import Replay, RunExit, RunMisused, RunState

__all__ = ("Pipeline", "railway")

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=Failure)
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", bound=Failure, covariant=True)


@final
@dataclass(frozen=True, slots=True)
class Pipeline(Generic[P, T_co, E_co]):
    """A pipeline that callers can call: `await pipeline(...)` runs *function* and returns a `Result`.

    *context* is the context of the run; if None, the run has the context of its caller.
    """

    function: Callable[Concatenate[Run[E_co], P], Awaitable[T_co]]
    context: RunContext | None = None

    @property
    def name(self) -> str:
        """Return the name of the pipeline's function."""
        return cast("str", getattr(self.function, "__name__"))  # noqa: B009 - no attribute of a `Callable`

    @property
    def promised(self) -> tuple[type[Failure], ...]:
        """Return the failure classes that the function declares with `Run[...]`, in the order of declaration.

        Raises `TypeError` if the first argument is not annotated with `Run[...]`.
        """
        # Evaluate only this annotation: others may name types that are imported under `TYPE_CHECKING`.
        name = next(iter(signature(self.function).parameters), "")
        alone = SimpleNamespace(__annotations__={name: get_annotations(self.function).get(name)})
        hint = get_type_hints(alone, vars(sys.modules[self.function.__module__]))[name]
        if get_origin(hint) is not Run:
            msg = f"{self.name} does not declare its failures: annotate its first argument with Run[...]"
            raise TypeError(msg)
        (errors,) = get_args(hint)
        if errors is Never:
            return ()
        is_union = get_origin(errors) in {Union, UnionType}
        return cast("tuple[type[Failure], ...]", get_args(errors) if is_union else (errors,))

    def on(self, context: RunContext) -> "Pipeline[P, T_co, E_co]":
        """Return a copy of the pipeline that runs in *context* instead of the context of its caller."""
        return Pipeline(self.function, context)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Result[T_co, E_co]:
        """Run the pipeline once and return its `Result`."""
        context = self.context or current_context()
        state = _begin_run(self.name, context)
        with _enter_rerun(context, state) if state.replay else change_context(context, run=state):
            return await self._run(state, *args, **kwargs)

    async def _run(self, state: RunState, *args: P.args, **kwargs: P.kwargs) -> Result[T_co, E_co]:
        try:
            value = await self.function(Run(state), *args, **kwargs)
        except RunExit as run_exit:
            if run_exit.state is not state:
                raise
            # Sound: only the methods of this `Run[E_co]` raise a `RunExit` with this state.
            return Err(cast("E_co", run_exit.error))
        except BaseExceptionGroup as group:
            if group.subgroup(RunExit) is None:
                raise
            msg = "the run failed inside a task group: call `stage`, `unwrap` and `fail` outside of it"
            raise RunMisused(msg) from group
        finally:
            state.close()
        state.check_finished()
        return Ok(value, lacks=state.lacks)


def _begin_run(pipeline: str, context: RunContext) -> RunState:
    state = RunState(pipeline, context.execution_id, context.key_prefix, asyncio.current_task())
    if context.rerun is not None:
        state.replay = Replay(context.rerun)
    elif (outer := context.run) is not None:
        state.is_nested = True
        if outer.is_between_stages:
            state.past, state.replay = outer.past, outer.replay
    return state


def _enter_rerun(context: RunContext, state: RunState) -> ContextChange:
    return change_context(context, run=state, rerun=None, deadline=None, observer=None, stub=_refuse)


def _refuse(call: CallSpan) -> Err[Unavailable]:
    """Answer a *call* that is not on record, as a `Stub`."""
    return Err(Unavailable("The call was not made", source=call.name, was_sent=False))


def railway(pipeline: Callable[Concatenate[Run[E], P], Awaitable[T]]) -> Pipeline[P, T, E]:
    """Turn an async function of a `Run` into a `Pipeline`, which returns a `Result`."""
    return Pipeline(pipeline)
