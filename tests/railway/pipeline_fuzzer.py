"""Any pipeline, any luck: what must hold whatever happens."""

import asyncio
import contextlib
from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Literal, TypeAlias, cast

from gateway.railway import (
    FAIL_FAST,
    Call,
    Err,
    Failure,
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

TURNS = 500
"""More turns of the loop than any plan takes: later than that it hangs."""


class Bug(Exception):  # noqa: N818 - it is none that is expected
    """What a call is not expected to raise."""


@dataclass(frozen=True)
class Part:
    """How one call behaves: what it answers after how many turns, and how it takes being cancelled."""

    turns: int
    answer: Literal["fine", "missing", "invalid", "bug", "stray"]
    cancelled: Literal["quick", "slow", "deaf", "sore"] = "quick"


@dataclass(frozen=True)
class Act:
    """One stage."""

    policy: Policy
    parts: tuple[Part, ...]

    @property
    def has_bug(self) -> bool:
        return any(part.answer in {"bug", "stray"} or part.cancelled == "sore" for part in self.parts)

    @property
    def must_break(self) -> bool:
        """A bug is cut off by nothing but a failure named before it, where that fails fast."""
        answers = [part.answer for part in self.parts]
        if self.policy is FAIL_FAST:
            answers = [*takewhile(lambda answer: answer not in {"missing", "invalid"}, answers)]
        return "bug" in answers or "stray" in answers

    @property
    def outcome(self) -> Result[Values, Failure]:
        """Say what the stage comes to: the answers decide, and nothing else."""
        answers = [answer(place, part) for place, part in enumerate(self.parts)]
        errors = [one.error for one in answers if isinstance(one, Err)]
        if not errors:
            return Ok(tuple(range(len(answers))))
        return Err(errors[0] if self.policy is FAIL_FAST else combine_failures(errors))


@dataclass(frozen=True)
class Plan:
    """Stages one after the other, and the turns at which the caller goes away."""

    acts: tuple[Act, ...]
    cancels: tuple[int, ...] = ()

    @property
    def outcome(self) -> Result[Values, Failure]:
        """Say what the pipeline comes to: its first failed stage, or the values of its last."""
        outcomes = [act.outcome for act in self.acts]
        return next((one for one in outcomes if isinstance(one, Err)), outcomes[-1])


def answer(place: int, part: Part) -> Result[int, Failure]:
    """Say what the call in this place of its stage answers."""
    match part.answer:
        case "missing":
            return Err(NotFound(f"{place}"))
        case "invalid":
            return Err(Invalid(f"{place}", violations=((f"{place % 2}", (f"{place}",)),)))
        case _:
            return Ok(place)


@dataclass
class Stage:
    """The calls that are being made right now."""

    going: set[str] = field(default_factory=set[str])
    tasks: int = 0

    def call(self, name: str, place: int, part: Part) -> Call[int, Failure]:
        """Describe a call that plays its *part*."""

        async def attempt() -> Result[int, Failure]:
            with self._going(name):
                try:
                    await turns(part.turns)
                except asyncio.CancelledError:
                    if part.cancelled == "slow":
                        await turns(3)
                    if part.cancelled == "deaf":
                        return answer(place, part)
                    if part.cancelled == "sore":
                        raise Bug(name) from None
                    raise
                if part.answer == "bug":
                    raise Bug(name)
                if part.answer == "stray":
                    raise asyncio.CancelledError
                return answer(place, part)

        return Call(name, attempt)

    @contextlib.contextmanager
    def _going(self, name: str) -> Generator[None]:
        self.going.add(name)
        try:
            yield
        finally:
            self.going.remove(name)


@railway
async def perform(run: Run[Failure], stage: Stage, plan: Plan) -> Values:
    """Go through the plan; after each stage, nothing of it is left."""
    values: Values = ()
    for number, act in enumerate(plan.acts):
        calls = [stage.call(f"{number}.{place}", place, part) for place, part in enumerate(act.parts)]
        try:
            values = cast("Values", await run.stage(f"{number}", *calls, policy=act.policy))
        finally:
            assert not stage.going
            assert len(asyncio.all_tasks()) == stage.tasks
    return values


async def turns(count: int) -> None:
    """Let everything else move so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def play(plan: Plan) -> None:
    """Run the pipeline of *plan*, and hold it to what is promised."""
    stage = Stage(tasks=len(asyncio.all_tasks()) + 1)
    task = asyncio.create_task(perform(stage, plan))
    sent = 0
    for turn in range(TURNS):
        if task.done():
            break
        sent += sum(task.cancel() for at in plan.cancels if at == turn)
        await asyncio.sleep(0)
    assert task.done(), "it hangs"
    assert not stage.going
    assert task.cancelling() == sent
    assert task.cancelled() == (sent > 0)
    if not sent:
        judge(plan, task)


def judge(plan: Plan, task: "asyncio.Task[Result[Values, Failure]]") -> None:
    """Hold a pipeline that nobody cancelled to the one outcome that its answers allow."""
    bug = task.exception()
    until = next((n for n, act in enumerate(plan.acts) if isinstance(act.outcome, Err)), len(plan.acts))
    played = plan.acts[: until + 1]
    if bug is not None:
        assert isinstance(bug, Bug | RuntimeError)
        assert any(act.has_bug for act in played)
    else:
        assert not any(act.must_break for act in played)
        assert task.result() == plan.outcome
