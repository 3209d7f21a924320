"""What came of a scenario, and how that differs from what had to come."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias, final

from pydantic import JsonValue

from gateway.cli.demo.expected import Again, Answer, NoAnswer, Problem
from gateway.cli.demo.matchers import Due, filled
from gateway.cli.demo.scenario import Calls, Scenario

__all__ = ("Difference", "Fact", "Outcome", "Record")

Fact: TypeAlias = int | str | tuple[str, ...] | tuple[Problem, ...] | None

_UNCHANGED: Final = "what it was"


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

    def __add__(self, other: "Record") -> "Record":
        return Record(
            self.made + other.made,
            self.cancelled + other.cancelled,
            self.seconds + other.seconds,
            self.sequential + other.sequential,
        )


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """What was answered to each request, and what was done for them, if the gateway told.

    *changed* is what services remember otherwise than before.
    """

    scenario: Scenario
    answers: tuple[Answer | NoAnswer, ...]
    record: Record | None
    changed: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    @property
    def is_right(self) -> bool:
        """Say whether all is as the contract says."""
        return not self.differences

    @property
    def undone(self) -> Calls:
        """Name the calls that took something back."""
        undos = self.scenario.pipeline.undos
        return tuple(name for name in self.record.made if name in undos) if self.record else ()

    @property
    def differences(self) -> Sequence[Difference]:
        """Say what is not."""
        facts = (
            *self._answered(),
            *_done(self.scenario, self.record),
            *_left(self.scenario.left, self.changed),
        )
        return [fact for fact in facts if fact.expected != fact.came]

    def _answered(self) -> Iterator[Difference]:
        before: Answer | NoAnswer = NoAnswer("nothing")
        due = [answer for _, answer in self.scenario.exchanges]
        for number, (answer, came) in enumerate(zip(due, self.answers, strict=True), start=1):
            which = "" if number == len(due) else "first "
            for what, expected, said in _said(answer, came, before):
                yield Difference(which + what, expected, said)
            before = came


def _said(due: Answer | Again, came: Answer | NoAnswer, before: Answer | NoAnswer) -> Iterator[Difference]:
    if isinstance(due, Again) and isinstance(before, Answer):
        due = due.after(before)
    if isinstance(due, Again) or isinstance(came, NoAnswer):
        yield Difference("answer", "one of the gateway's", str(came))
        return
    yield Difference("status", due.status, came.status)
    yield Difference("code", due.code, came.code)
    yield Difference("errors", due.errors, came.errors)
    for name, value in due.fields.items():
        yield Difference(name, _json(filled(value, came.fields.get(name))), _field(came.fields, name))
    for name, value in due.headers.items():
        said = came.headers.get(name)
        yield Difference(name, str(filled(value, said)), None if said is None else str(said))


def _done(scenario: Scenario, record: Record | None) -> Iterator[Difference]:
    if record is None:
        yield Difference("record of the calls", "one", None)
        return
    cut_short = tuple(name for name in record.cancelled if name not in scenario.cancellable)
    without = scenario.pipeline.without
    yield Difference("calls made", scenario.calls, record.made)
    yield Difference("calls cancelled", scenario.cancelled, cut_short)
    yield Difference("calls never made", without(scenario.calls), without(record.made))


def _left(due: Mapping[str, Due], changed: Mapping[str, JsonValue]) -> Iterator[Difference]:
    for name in dict.fromkeys((*due, *changed)):
        expected = _json(filled(due[name], changed.get(name))) if name in due else _UNCHANGED
        yield Difference(f"{name} afterwards", expected, _field(changed, name) or _UNCHANGED)


def _field(fields: Mapping[str, Due], name: str) -> str | None:
    return _json(filled(fields[name], None)) if name in fields else None


def _json(value: JsonValue) -> str:
    """Write *value* in the one way in which different values differ: in Python, 1 equals true."""
    return json.dumps(value, sort_keys=True)
