"""What came of a scenario, and how that differs from what had to come."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias, final

from gateway.demo.answer import Answer, Problem
from gateway.demo.scenarios import CALLS, Calls, Scenario

__all__ = ("Difference", "Fact", "Outcome")

Fact: TypeAlias = int | str | tuple[str, ...] | tuple[Problem, ...] | None

_NO_CALLS: Final[Calls] = ()


@final
class Difference(NamedTuple):
    """Something that was *expected* to be otherwise than it *came*."""

    what: str
    expected: Fact
    came: Fact


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """What was answered, and the calls *made* for it, some of them *cancelled*.

    It took *seconds*; *sequential* is how many the calls would have taken one after the other.
    """

    scenario: Scenario
    answer: Answer
    made: Calls
    cancelled: Calls
    seconds: float
    sequential: float

    @property
    def never_made(self) -> Calls:
        """Name the calls of a checkout that were not made."""
        return _others(self.made)

    @property
    def is_right(self) -> bool:
        """Say whether all is as the contract says."""
        return not self.differences

    @property
    def differences(self) -> Sequence[Difference]:
        """Say what is not."""
        due, said = self.scenario.answer, self.answer
        facts = (
            Difference("status", due.status, said.status),
            Difference("code", due.code, said.code),
            Difference("errors", due.errors, said.errors),
            Difference("total", due.total, said.total),
            Difference("calls made", self.scenario.calls, self.made),
            Difference("calls cancelled", _NO_CALLS, self.cancelled),
            Difference("calls never made", _others(self.scenario.calls), self.never_made),
        )
        return [fact for fact in facts if fact.expected != fact.came]


def _others(calls: Calls) -> Calls:
    return tuple(name for name in CALLS if name not in calls)
