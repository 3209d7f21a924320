"""Undo of recorded writes, by the names of their undos."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from gateway.executions.execution import ExecutedWrite
from gateway.railway import CommitState, Intent, SentWrite, Undo, WriteOutcome, undo_writes

__all__ = ("describe_stuck_writes", "find_unknown_undos", "undo_recorded")

_SETTLED: Final = frozenset({WriteOutcome.REFUSED, WriteOutcome.UNDONE})
"""Outcomes of writes that have changed nothing, or no longer do."""


async def undo_recorded(
    writes: Sequence[ExecutedWrite],
    undos: Mapping[str, Undo],
    budget: float,
    describe: Callable[[Intent], SentWrite],
) -> tuple[CommitState, Sequence[ExecutedWrite]]:
    """Undo those of *writes* that may have taken effect, last first; return state and writes afterwards.

    *describe* returns what this process knows of a write. A write is stuck if its undo is not one of *undos*,
    or does not succeed within *budget* seconds.
    """
    outcomes = {write.intent.key: write.outcome for write in writes}
    due: list[tuple[Undo, SentWrite]] = []
    for write in writes:
        if write.outcome in _SETTLED:
            continue
        outcomes[write.intent.key] = WriteOutcome.STUCK
        if (undo := undos.get(write.intent.undo or "")) is not None:
            due.append((undo, describe(write.intent)))

    def record(sent: SentWrite, outcome: WriteOutcome) -> None:
        outcomes[sent.key] = outcome

    await undo_writes(due, budget, record)
    is_stuck = WriteOutcome.STUCK in outcomes.values()
    after = [replace(write, outcome=outcomes[write.intent.key]) for write in writes]
    return CommitState.STUCK if is_stuck else CommitState.UNDONE, after


def find_unknown_undos(writes: Sequence[ExecutedWrite], undos: Mapping[str, Undo]) -> Sequence[str]:
    """Return the names of the undos that *writes* need and that are not in *undos*."""
    names = {write.intent.undo or "" for write in writes if write.outcome not in _SETTLED}
    return sorted(names - undos.keys())


def describe_stuck_writes(writes: Sequence[ExecutedWrite]) -> str:
    """Return the names and keys of those of *writes* that are stuck, for an operator."""
    stuck = (write.intent for write in writes if write.outcome is WriteOutcome.STUCK)
    return ", ".join(f"{intent.name} under key {intent.key}" for intent in stuck)
