"""What came of a scenario, and how that differs from what had to come."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias, final

from pydantic import JsonValue

from gateway.demo.answer import Answer, NoAnswer, Problem
from gateway.demo.scenario import Calls, Scenario

__all__ = ("Difference", "Fact", "Outcome", "Record")

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
class Record:
    """The calls that were *made*, some of them *cancelled*.

    The request took *seconds*; its calls would have taken *sequential* one after the other.
    """

    made: Calls
    cancelled: Calls
    seconds: float
    sequential: float


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """What was answered, and what was done for it, if the gateway told."""

    scenario: Scenario
    answer: Answer | NoAnswer
    record: Record | None

    @property
    def is_right(self) -> bool:
        """Say whether all is as the contract says."""
        return not self.differences

    @property
    def differences(self) -> Sequence[Difference]:
        """Say what is not."""
        facts = (*_said(self.scenario.answer, self.answer), *_done(self.scenario, self.record))
        return [fact for fact in facts if fact.expected != fact.came]


def _said(due: Answer, came: Answer | NoAnswer) -> Iterator[Difference]:
    if isinstance(came, NoAnswer):
        yield Difference("answer", "one of the gateway's", str(came))
        return
    yield Difference("status", due.status, came.status)
    yield Difference("code", due.code, came.code)
    yield Difference("errors", due.errors, came.errors)
    for name in due.fields:
        yield Difference(name, _json(due.fields, name), _json(came.fields, name))
    for name, value in due.headers.items():
        yield Difference(name, value, came.headers.get(name))


def _done(scenario: Scenario, record: Record | None) -> Iterator[Difference]:
    if record is None:
        yield Difference("record of the calls", "one", None)
        return
    cut_short = tuple(name for name in record.cancelled if name not in scenario.cancellable)
    without = scenario.pipeline.without
    yield Difference("calls made", scenario.calls, record.made)
    yield Difference("calls cancelled", _NO_CALLS, cut_short)
    yield Difference("calls never made", without(scenario.calls), without(record.made))


def _json(fields: Mapping[str, JsonValue], name: str) -> str | None:
    """Write a field in the one way in which different values differ: in Python, 1 equals true."""
    return json.dumps(fields[name], sort_keys=True) if name in fields else None
