"""Runner of random pipelines, which checks the invariants of every pipeline."""

import asyncio
import contextlib
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Literal, TypeAlias

from gateway.railway import (
    FAIL_FAST,
    Call,
    Err,
    Failure,
    Fault,
    Invalid,
    NotFound,
    Ok,
    Policy,
    Result,
    Run,
    combine_failures,
    railway,
)

Values: TypeAlias = tuple[int, ...]

MAX_TURNS = 500
"""Turns of the event loop after which a pipeline counts as hanging."""


class Bug(Exception):  # noqa: N818 - named for the bug that it simulates
    """Unexpected exception in a call."""


@dataclass(frozen=True)
class CallPlan:
    """Behaviour of a call: its *answer* after *turns* of the event loop, and its reaction to a cancellation.

    The answer "stray" raises `CancelledError` although the call was not cancelled.
    """

    turns: int
    answer: Literal["fine", "missing", "invalid", "bug", "stray"]
    on_cancel: Literal["stop", "clean up", "ignore", "raise"] = "stop"


@dataclass(frozen=True)
class StagePlan:
    """A stage: its policy and its calls, which are those of a list if *at_once* is set."""

    policy: Policy
    calls: tuple[CallPlan, ...]
    at_once: int | None = None

    @property
    def has_bug(self) -> bool:
        return any(call.answer in {"bug", "stray"} or call.on_cancel == "raise" for call in self.calls)

    @property
    def must_raise(self) -> bool:
        """True if a call has a bug, and no earlier failure can cancel that call."""
        answers = [call.answer for call in self.calls]
        if self.policy is FAIL_FAST:
            answers = [*takewhile(lambda answer: answer not in {"missing", "invalid"}, answers)]
        return "bug" in answers or "stray" in answers

    @property
    def outcome(self) -> Result[Values, Failure]:
        """Return the result of the stage if no call raises: it depends on the answers alone."""
        answers = [build_answer(position, call) for position, call in enumerate(self.calls)]
        errors = [
            answer.error if self.at_once is None else replace(answer.error, item=position)
            for position, answer in enumerate(answers)
            if isinstance(answer, Err)
        ]
        if not errors:
            return Ok(tuple(range(len(answers))))
        return Err(errors[0] if self.policy is FAIL_FAST else combine_failures(errors))


@dataclass(frozen=True)
class Plan:
    """Stages in sequence, and the turns at which the caller is cancelled."""

    stages: tuple[StagePlan, ...]
    cancels: tuple[int, ...] = ()

    @property
    def outcome(self) -> Result[Values, Failure]:
        """Return the failure of the first failed stage, or the values of the last stage."""
        outcomes = [stage.outcome for stage in self.stages]
        return next((outcome for outcome in outcomes if isinstance(outcome, Err)), outcomes[-1])


def build_answer(position: int, call: CallPlan) -> Result[int, Fault]:
    """Return the answer of *call* at *position* of its stage."""
    match call.answer:
        case "missing":
            return Err(NotFound(f"{position}"))
        case "invalid":
            return Err(Invalid(f"{position}", violations=((f"{position % 2}", (f"{position}",)),)))
        case _:
            return Ok(position)


@dataclass
class CallTracker:
    """Names of the running calls, and the number of *tasks* outside any stage."""

    running: set[str] = field(default_factory=set[str])
    tasks: int = 0

    def build_call(self, name: str, position: int, plan: CallPlan) -> Call[int, Failure]:
        """Build a call that behaves as *plan* describes."""

        async def attempt() -> Result[int, Failure]:
            with self._track(name):
                try:
                    await pass_turns(plan.turns)
                except asyncio.CancelledError:
                    if plan.on_cancel == "clean up":
                        await pass_turns(3)
                    if plan.on_cancel == "ignore":
                        return build_answer(position, plan)
                    if plan.on_cancel == "raise":
                        raise Bug(name) from None
                    raise
                if plan.answer == "bug":
                    raise Bug(name)
                if plan.answer == "stray":
                    raise asyncio.CancelledError
                return build_answer(position, plan)

        return Call(name, attempt)

    @contextlib.contextmanager
    def _track(self, name: str) -> Generator[None]:
        self.running.add(name)
        try:
            yield
        finally:
            self.running.remove(name)


@railway
async def run_stages(run: Run[Failure], tracker: CallTracker, plan: Plan) -> Values:
    """Run the stages of *plan*; after each stage, check that no call or task is left."""
    values: Values = ()
    for number, stage in enumerate(plan.stages):
        calls = [
            tracker.build_call(f"{number}.{position}", position, call)
            for position, call in enumerate(stage.calls)
        ]
        try:
            values = await run_stage(run, f"{number}", calls, stage)
        finally:
            assert not tracker.running
            assert len(asyncio.all_tasks()) == tracker.tasks
    return values


async def run_stage(
    run: Run[Failure], name: str, calls: list[Call[int, Failure]], stage: StagePlan
) -> Values:
    """Run a single stage."""
    if stage.at_once is None:
        return await run.stage(name, *calls, policy=stage.policy)
    return tuple(await run.each(name, calls, at_once=stage.at_once, policy=stage.policy))


async def pass_turns(count: int) -> None:
    """Let *count* turns of the event loop pass."""
    for _ in range(count):
        await asyncio.sleep(0)


async def run_and_check(plan: Plan) -> None:
    """Run the pipeline of *plan* and check its invariants."""
    tracker = CallTracker(tasks=len(asyncio.all_tasks()) + 1)
    task = asyncio.create_task(run_stages(tracker, plan))
    cancellations = 0
    for turn in range(MAX_TURNS):
        if task.done():
            break
        cancellations += sum(task.cancel() for at in plan.cancels if at == turn)
        await asyncio.sleep(0)
    assert task.done(), "the pipeline hangs"
    assert not tracker.running
    assert task.cancelling() == cancellations
    assert task.cancelled() == (cancellations > 0)
    if not cancellations:
        check_outcome(plan, task)


def check_outcome(plan: Plan, task: "asyncio.Task[Result[Values, Failure]]") -> None:
    """Check that a pipeline that was not cancelled ended as its answers determine."""
    bug = task.exception()
    stages = plan.stages
    last = next((n for n, stage in enumerate(stages) if isinstance(stage.outcome, Err)), len(stages))
    reached = stages[: last + 1]
    if bug is not None:
        assert isinstance(bug, Bug | RuntimeError)
        assert any(stage.has_bug for stage in reached)
    else:
        assert not any(stage.must_raise for stage in reached)
        assert task.result() == plan.outcome
