"""Runner of random commits, which checks the invariants of every commit."""

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
from tests.railway.scripted_writes import Bank, Reply, Values, payment

LANDING_TIME = 100
"""Seconds after which every late write has reached the bank."""

LONGEST_COMMIT = 10 + 1 + 30 + 5
"""Longest commit, in seconds: both budgets, and 1 s of grace for a write and for each of five undos."""


class Bug(Exception):  # noqa: N818 - named for the bug that it simulates
    """Unexpected exception in a write or an undo."""


@dataclass(frozen=True)
class ReadPlan:
    """Behaviour of a read in a commit."""

    answer: Answer
    after: float = 0


@dataclass(frozen=True)
class WritePlan:
    """Replies to the attempts of a write and of its undo."""

    attempts: tuple[Reply, ...]
    undos: tuple[Reply, ...]


@dataclass(frozen=True)
class Plan:
    """A commit, and the instants at which its caller is cancelled."""

    policy: CommitPolicy
    steps: tuple[ReadPlan | WritePlan, ...]
    cancels: tuple[float, ...] = ()

    def replace_latencies(self, latencies: Sequence[float]) -> "Plan":
        """Return the same plan with other latencies."""
        remaining = iter(latencies)
        return replace(self, steps=tuple(_replace_latencies(step, remaining) for step in self.steps))


Outcome: TypeAlias = Result[Values, Failure] | str
"""Result of a commit, or the type and message of its bug."""


def _replace_latencies(step: ReadPlan | WritePlan, latencies: Iterator[float]) -> ReadPlan | WritePlan:
    if isinstance(step, ReadPlan):
        return replace(step, after=next(latencies))
    return WritePlan(
        tuple(replace(reply, after=next(latencies)) for reply in step.attempts),
        tuple(replace(reply, after=next(latencies)) for reply in step.undos),
    )


def _build_step(bank: Bank, position: int, step: ReadPlan | WritePlan) -> CommitStep[int, Failure]:
    if isinstance(step, ReadPlan):
        return bank.call(f"{position}", step.answer, after=step.after)
    return bank.write(f"{position}", *step.attempts, undos=step.undos)


async def run_and_check(plan: Plan) -> Outcome | None:
    """Run the commit of *plan* and check its invariants; return its outcome, or None if it was cancelled."""
    bank, start = Bank(), now()
    tasks = asyncio.all_tasks()
    steps = [_build_step(bank, position, step) for position, step in enumerate(plan.steps)]
    task = asyncio.ensure_future(payment.on(bank.build_context())(*steps, policy=plan.policy))
    for instant in plan.cancels:
        asyncio.get_running_loop().call_later(instant, task.cancel)
    await asyncio.wait((task,))

    assert now() - start <= LONGEST_COMMIT
    assert asyncio.all_tasks() == tasks
    outcome = get_outcome(task)
    await bank.wait(LANDING_TIME)
    check_ledger(bank)
    check_undos(bank)
    if outcome is not None:
        check_outcome(bank, outcome)
    return outcome


def get_outcome(task: "asyncio.Future[Result[Values, Failure]]") -> Outcome | None:
    """Return the outcome of a commit: None if it was cancelled."""
    if task.cancelled():
        return None
    bug = task.exception()
    return task.result() if bug is None else f"{type(bug).__name__}: {bug}"


def check_outcome(bank: Bank, outcome: Outcome) -> None:
    """Check that the caller's outcome agrees with the journal."""
    ((_, state),) = bank.journal.ends
    match outcome:
        case Ok():
            assert state is CommitState.COMMITTED
        case Err(Stuck()):
            assert state is CommitState.STUCK
        case _:
            assert state is CommitState.UNDONE


def check_ledger(bank: Bank) -> None:
    """Check that the journal's records agree with the ledger."""
    ((_, state),) = bank.journal.ends
    intents = bank.journal.starts[0].intents
    writes = {intent.key: bank.journal.outcomes[intent.key] for intent in intents if intent.undo}
    standing = bank.ledger.standing
    assert all(count == 1 for count in bank.ledger.counts.values())
    if state is CommitState.COMMITTED:
        assert standing == {*writes}
        assert not bank.ledger.tombstones
        assert {*writes.values()} == {WriteOutcome.DONE}
    else:
        assert {*writes.values()} <= {WriteOutcome.REFUSED, WriteOutcome.UNDONE, WriteOutcome.STUCK}
        assert standing <= {key for key, outcome in writes.items() if outcome is WriteOutcome.STUCK}
        assert (state is CommitState.STUCK) == (WriteOutcome.STUCK in writes.values())


def check_undos(bank: Bank) -> None:
    """Check the rounds of undos: the first has all undos, each is in reverse order, none adds an undo."""
    undos = [int(found[1]) for line in bank.log if (found := re.fullmatch(r"(\d)\.undo sent", line))]
    rounds: list[list[int]] = []
    for position in undos:
        if not rounds or position >= rounds[-1][-1]:
            rounds.append([])
        rounds[-1].append(position)
    for before, after in pairwise(rounds):
        assert {*after} <= {*before}
    to_undo = {WriteOutcome.UNDONE, WriteOutcome.STUCK}
    assert {*(rounds[0] if rounds else ())} == {
        position
        for position, intent in enumerate(bank.journal.starts[0].intents)
        if bank.journal.outcomes[intent.key] in to_undo
    }
