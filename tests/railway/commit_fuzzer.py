"""Any commit, any luck: what must hold whatever happens."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

from gateway.railway import (
    CommitPolicy,
    CommitState,
    CommitStep,
    Err,
    Failure,
    Ok,
    Result,
    Stuck,
    WriteOutcome,
)
from tests.railway.scripted_calls import Answer, now
from tests.railway.scripted_writes import Bank, Told, Values, committing

TAIL = 100
"""Seconds after which nothing is on its way any more."""

LONGEST = 10 + 1 + 30 + 5
"""Both budgets, and what a write and five undos may overrun them by."""


class Bug(Exception):  # noqa: N818 - it is none that is expected
    """What a write is not expected to raise."""


@dataclass(frozen=True)
class Read:
    """How a read that rides along behaves."""

    answer: Answer
    after: float = 0


@dataclass(frozen=True)
class Change:
    """How a write behaves, attempt by attempt, and its undo."""

    attempts: tuple[Told, ...]
    undos: tuple[Told, ...]


@dataclass(frozen=True)
class Plan:
    """A commit, and the instants at which the caller goes away."""

    order: CommitPolicy
    parts: tuple[Read | Change, ...]
    cancels: tuple[float, ...] = ()

    def slower(self, latencies: Sequence[float]) -> "Plan":
        """Give the same behaviours with other latencies."""
        later = iter(latencies)
        return replace(self, parts=tuple(_slower(part, later) for part in self.parts))


Outcome: TypeAlias = Result[Values, Failure] | str
"""What a commit comes to; a bug is known by its name."""


def _slower(part: Read | Change, latencies: Iterator[float]) -> Read | Change:
    if isinstance(part, Read):
        return replace(part, after=next(latencies))
    return Change(
        tuple(replace(told, after=next(latencies)) for told in part.attempts),
        tuple(replace(told, after=next(latencies)) for told in part.undos),
    )


def _step(bank: Bank, place: int, part: Read | Change) -> CommitStep[int, Failure]:
    if isinstance(part, Read):
        return bank.call(f"{place}", part.answer, after=part.after)
    return bank.write(f"{place}", *part.attempts, undone=part.undos)


async def play(plan: Plan) -> Outcome | None:
    """Make the commit of *plan*, hold it to what is promised, and say what it came to, if not cancelled."""
    bank, began = Bank(), now()
    tasks = asyncio.all_tasks()
    steps = [_step(bank, place, part) for place, part in enumerate(plan.parts)]
    task = asyncio.ensure_future(committing.on(bank.around())(*steps, policy=plan.order))
    for instant in plan.cancels:
        asyncio.get_running_loop().call_later(instant, task.cancel)
    await asyncio.wait((task,))

    assert now() - began <= LONGEST
    assert asyncio.all_tasks() == tasks
    outcome = came_to(task)
    await bank.passing(TAIL)
    judge_ledger(bank)
    judge_undos(bank)
    if outcome is not None:
        judge_outcome(bank, outcome)
    return outcome


def came_to(task: "asyncio.Future[Result[Values, Failure]]") -> Outcome | None:
    """Say how a commit ended, if nobody cancelled it."""
    if task.cancelled():
        return None
    bug = task.exception()
    return task.result() if bug is None else f"{type(bug).__name__}: {bug}"


def judge_outcome(bank: Bank, outcome: Outcome) -> None:
    """Hold what the caller is told to what the journal says."""
    ((_, state),) = bank.journal.ends
    match outcome:
        case Ok():
            assert state is CommitState.COMMITTED
        case Err(Stuck()):
            assert state is CommitState.STUCK
        case _:
            assert state is CommitState.UNDONE


def judge_ledger(bank: Bank) -> None:
    """Hold what the journal says of the end, and of each write, to what the service has done."""
    ((_, state),) = bank.journal.ends
    intents = bank.journal.begun[0].intents
    writes = {intent.key: bank.journal.outcomes[intent.key] for intent in intents if intent.undo}
    standing = bank.ledger.standing
    assert all(times == 1 for times in bank.ledger.times.values())
    if state is CommitState.COMMITTED:
        assert standing == {*writes}
        assert not bank.ledger.marks
        assert {*writes.values()} == {WriteOutcome.DONE}
    else:
        assert {*writes.values()} <= {WriteOutcome.REFUSED, WriteOutcome.UNDONE, WriteOutcome.STUCK}
        assert standing <= {key for key, outcome in writes.items() if outcome is WriteOutcome.STUCK}
        assert (state is CommitState.STUCK) == (WriteOutcome.STUCK in writes.values())


def judge_undos(bank: Bank) -> None:
    """Hold the undos to rounds in reverse order: each of those that the round before has left."""
    undos = [int(found[1]) for line in bank.log if (found := re.fullmatch(r"(\d)\.undo sent", line))]
    rounds: list[list[int]] = []
    for place in undos:
        if not rounds or place >= rounds[-1][-1]:
            rounds.append([])
        rounds[-1].append(place)
    for before, after in pairwise(rounds):
        assert {*after} <= {*before}
    undone = {WriteOutcome.UNDONE, WriteOutcome.STUCK}
    assert {*(rounds[0] if rounds else ())} == {
        place
        for place, intent in enumerate(bank.journal.begun[0].intents)
        if bank.journal.outcomes[intent.key] in undone
    }
