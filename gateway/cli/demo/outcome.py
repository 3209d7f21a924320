"""Outcome of a scenario, and its differences from the expected outcome."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias, final

from pydantic import JsonValue

from gateway.cli.demo.expected import Answer, InvalidAnswer, Problem, Replay
from gateway.cli.demo.matchers import ExpectedJson, resolve_patterns
from gateway.cli.demo.scenario import Calls, Scenario

__all__ = ("CallRecord", "Difference", "Fact", "Outcome")

Fact: TypeAlias = int | str | tuple[str, ...] | tuple[Problem, ...] | None
"""An expected or actual value, as it is compared and printed."""

_UNCHANGED: Final = "unchanged"


@final
class Difference(NamedTuple):
    """An *actual* value that differs from the *expected* value."""

    subject: str
    expected: Fact
    actual: Fact


@final
@dataclass(frozen=True, slots=True)
class CallRecord:
    """Calls *made* for the requests of a scenario, and the *cancelled* calls among them.

    The requests took *seconds*; the same calls in sequence would have taken *sequential* seconds.
    """

    made: Calls
    cancelled: Calls
    seconds: float
    sequential: float

    def __add__(self, other: "CallRecord") -> "CallRecord":
        return CallRecord(
            self.made + other.made,
            self.cancelled + other.cancelled,
            self.seconds + other.seconds,
            self.sequential + other.sequential,
        )


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to each request, the *record* of the calls, and the *changes* of the services' state.

    *record* is None if the gateway reported no trace.
    """

    scenario: Scenario
    answers: tuple[Answer | InvalidAnswer, ...]
    record: CallRecord | None
    changes: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    @property
    def has_passed(self) -> bool:
        """Return True if everything is as expected."""
        return not self.differences

    @property
    def undos(self) -> Calls:
        """Return the names of the undos that were made; empty without a record."""
        undos = self.scenario.pipeline.undos
        return tuple(name for name in self.record.made if name in undos) if self.record else ()

    @property
    def differences(self) -> Sequence[Difference]:
        """Return the differences in answers, calls and state."""
        compared = (
            *_compare_answers(self.scenario, self.answers),
            *_compare_calls(self.scenario, self.record),
            *_compare_changes(self.scenario.changes, self.changes),
        )
        return [difference for difference in compared if difference.expected != difference.actual]


def _compare_answers(scenario: Scenario, answers: Sequence[Answer | InvalidAnswer]) -> Iterator[Difference]:
    previous: Answer | InvalidAnswer = InvalidAnswer("no answer")
    expected_answers = [answer for _, answer in scenario.exchanges]
    for number, (expected, actual) in enumerate(zip(expected_answers, answers, strict=True), start=1):
        prefix = "" if number == len(answers) else "first "
        for difference in _compare_answer(expected, actual, previous):
            yield difference._replace(subject=prefix + difference.subject)
        previous = actual


def _compare_answer(
    expected: Answer | Replay, actual: Answer | InvalidAnswer, previous: Answer | InvalidAnswer
) -> Iterator[Difference]:
    if isinstance(expected, Replay) and isinstance(previous, Answer):
        expected = expected.resolve(previous)
    if isinstance(expected, Replay) or isinstance(actual, InvalidAnswer):
        yield Difference("answer", "a valid answer", str(actual))
        return
    yield Difference("status", expected.status, actual.status)
    yield Difference("code", expected.code, actual.code)
    yield Difference("errors", expected.errors, actual.errors)
    for name, value in expected.fields.items():
        resolved = resolve_patterns(value, actual.fields.get(name))
        yield Difference(name, _to_json(resolved), _field_to_json(actual.fields, name))
    for name, value in expected.headers.items():
        header = actual.headers.get(name)
        yield Difference(name, str(resolve_patterns(value, header)), None if header is None else str(header))


def _compare_calls(scenario: Scenario, record: CallRecord | None) -> Iterator[Difference]:
    if record is None:
        yield Difference("record of the calls", "a record", None)
        return
    cancelled = tuple(name for name in record.cancelled if name not in scenario.cancellable)
    without = scenario.pipeline.without
    yield Difference("calls made", scenario.calls, record.made)
    yield Difference("calls cancelled", scenario.cancelled, cancelled)
    yield Difference("calls never made", without(scenario.calls), without(record.made))


def _compare_changes(
    expected: Mapping[str, ExpectedJson], actual: Mapping[str, JsonValue]
) -> Iterator[Difference]:
    for name in dict.fromkeys((*expected, *actual)):
        resolved = _UNCHANGED
        if name in expected:
            resolved = _to_json(resolve_patterns(expected[name], actual.get(name)))
        yield Difference(f"{name} afterwards", resolved, _field_to_json(actual, name) or _UNCHANGED)


def _field_to_json(fields: Mapping[str, ExpectedJson], name: str) -> str | None:
    return _to_json(resolve_patterns(fields[name], None)) if name in fields else None


def _to_json(value: JsonValue) -> str:
    """Serialise *value*, so that different JSON values compare as different: in Python, 1 equals True."""
    return json.dumps(value, sort_keys=True)
