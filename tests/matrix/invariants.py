"""Invariants of every cell, in every order of arrival."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast, final

import httpx

from mock_services.catalogue import SERVICES
from tests.matrix.call_graph import CallGraph
from tests.matrix.expected_answers import ExpectedFailure, ExpectedResult
from tests.matrix.faulty_services import SECRET
from tests.matrix.gateway_under_test import PlayedCell, without_ids
from tests.matrix.openapi_answers import Document
from tests.matrix.sample_requests import Sample

__all__ = ("Case", "find_violations")

_Object: TypeAlias = Mapping[str, Any]

_UNDONE_STATUSES: Final = frozenset({"cancelled", "reversed"})
_GATEWAY_DETAIL: Final = re.compile(
    r"The \w+ service (is unavailable|did not answer in time|sent an unusable answer)"
)
_RUNNING: Final = 202
_MAX_BACKOFF: Final = 1.0
"""Seconds that latencies and backoff may take together."""


@final
@dataclass(frozen=True)
class Case:
    """A cell that was run, with its expected result and the result without faults."""

    sample: Sample
    graph: CallGraph
    document: Document
    healthy: PlayedCell
    played: PlayedCell
    expected: ExpectedResult


def find_violations(case: Case) -> Iterator[str]:
    """Yield a sentence for each violated invariant."""
    for invariant in _INVARIANTS:
        yield from invariant(case)


def _the_answer_is_the_expected_one(case: Case) -> Iterator[str]:
    answer, expected = case.played.final, case.expected
    said = answer.json()
    yield from _compare("status", answer.status_code, expected.status)
    yield from _compare("code", said.get("code"), expected.code)
    yield from _compare("failures", [*_failures_in(said)], [_to_tuple(part) for part in expected.parts])
    after = None if expected.retry_after is None else str(expected.retry_after)
    yield from _compare("Retry-After", answer.headers.get("retry-after"), after)
    is_whole = not expected.parts and not expected.missing
    yield from _compare("Gateway-Completed", answer.headers["gateway-completed"], str(is_whole).lower())
    scheme = "Bearer" if expected.code == "unauthorized" else None
    yield from _compare("WWW-Authenticate", answer.headers.get("www-authenticate"), scheme)


def _what_a_service_says_is_told_only_if_it_was_declared(case: Case) -> Iterator[str]:
    details = [*_details(case.played.final.json())]
    for part, detail in zip(case.expected.parts, details, strict=False):
        if part.detail is not None:
            yield from _compare("detail", detail, part.detail)
        elif part.source is not None and _GATEWAY_DETAIL.fullmatch(detail) is None:
            yield f"detail: {detail}"


def _a_success_is_whole_but_for_what_is_optional(case: Case) -> Iterator[str]:
    if case.expected.parts:
        return
    said, whole = _fields(case.played.final), _fields(case.healthy.final)
    missing = [name for name, value in said.items() if value is None and whole[name] is not None]
    degraded: Sequence[str] = said.get("degraded", ())
    yield from _compare("degraded", [*degraded], missing)
    yield from _compare("how many are missing", len(missing), len(case.expected.missing))
    same = {name: whole[name] for name in whole if name not in {*missing, "degraded"}}
    yield from _compare("body", {name: said.get(name) for name in same}, same)


def _a_commit_that_outlasts_the_deadline_is_202_first(case: Case) -> Iterator[str]:
    first = case.played.first
    yield from _compare("202 at first", first.status_code == _RUNNING, case.expected.outlasts)
    if first.status_code == _RUNNING:
        body = {"execution_id": case.played.execution_id, "pipeline": case.graph.name, "state": "running"}
        yield from _compare("body of the 202", first.json(), body)
        yield from _compare("Retry-After of the 202", first.headers.get("retry-after"), "1")
        where = f"/executions/{case.played.execution_id}"
        yield from _compare("Location of the 202", first.headers.get("location"), where)


def _an_answer_takes_as_long_as_it_must(case: Case) -> Iterator[str]:
    least = case.expected.seconds
    if not least <= case.played.seconds < least + _MAX_BACKOFF:
        yield f"it took {case.played.seconds} s, not {least} s and a little"


def _only_what_the_document_declares_is_sent(case: Case) -> Iterator[str]:
    for answer in case.played.answers:
        yield from case.document.find_violations(case.sample.method, case.sample.route, answer)
    if case.played.record is not None:
        yield from case.document.find_violations("GET", "/executions/{execution_id}", case.played.record)


def _no_caller_sees_what_is_not_meant_for_callers(case: Case) -> Iterator[str]:
    for answer in case.played.answers:
        if SECRET in f"{answer.text}{answer.headers}":
            yield f"the answer has what a service said for itself: {answer.text}"


def _what_is_called_is_asked_as_often_as_it_must_and_nothing_else(case: Case) -> Iterator[str]:
    asked = Counter(seen.name for seen in case.played.before_end)
    yield from _compare("calls", sorted(asked), sorted(case.expected.attempts))
    for name, times in case.expected.attempts.items():
        if name in asked and asked[name] not in times:
            yield f"{name} was asked for {asked[name]} times, not {times.start} to {times[-1]}"


def _only_what_may_have_been_written_is_undone_the_last_first(case: Case) -> Iterator[str]:
    calls = {call.name for call in case.graph.calls}
    undone = dict.fromkeys(seen.name for seen in case.played.before_end if seen.name not in calls)
    writes = case.expected.writes or {}
    expected = [
        call.undo.name
        for call in reversed(case.graph.calls)
        if call.undo is not None and writes.get(call.name) in {"undone", "stuck"}
    ]
    yield from _compare("undos", [*undone], expected)


def _a_write_is_repeated_under_its_one_key(case: Case) -> Iterator[str]:
    keys: dict[str, set[str | None]] = {}
    for seen in case.played.before_end:
        keys.setdefault(seen.name, set()).add(seen.key)
    for name, found in keys.items():
        if len(found) > 1:
            yield f"{name} was sent under {len(found)} keys"


def _nothing_is_left_behind(case: Case) -> Iterator[str]:
    yield from case.played.left
    late = case.played.received[len(case.played.before_end) :]
    if late:
        yield f"calls after the answer: {', '.join(seen.name for seen in late)}"


def _what_stands_is_what_was_done_and_not_undone(case: Case) -> Iterator[str]:
    played = case.played
    by_key = {seen.key: seen.name for seen in played.before_end if seen.key is not None}
    standing = sorted(by_key.get(key, f"nobody's {key}") for key in _standing(played.states))
    yield from _compare("standing", standing, sorted(case.expected.standing))


def _what_is_counted_is_as_if_it_had_all_or_never_been(case: Case) -> Iterator[str]:
    if not case.expected.parts:
        expected = _quantities(case.healthy.states)
    elif not case.expected.standing:
        expected = _quantities({name: SERVICES[name]().state() for name in case.played.states})
    else:
        return
    yield from _compare("stock and balances", _quantities(case.played.states), expected)


def _the_record_says_what_became_of_each_write(case: Case) -> Iterator[str]:
    writes, record = case.expected.writes, case.played.record
    if writes is None or record is None:
        yield from _compare("a record of the execution", record is not None, writes is not None)
        return
    said = record.json()
    found = {write["name"]: write["outcome"] for write in said["writes"]}
    yield from _compare("writes", found, dict(writes))
    outcomes = set(writes.values())
    ended = "stuck" if "stuck" in outcomes else "undone" if case.expected.parts else "committed"
    yield from _compare("state", said["state"], ended)


def _asked_again_it_says_the_same(case: Case) -> Iterator[str]:
    again, answer = case.played.repeat, case.played.final
    if again is None:
        return
    yield from _compare("status when asked again", again.status_code, answer.status_code)
    yield from _compare("body when asked again", again.text, answer.text)
    yield from _compare("Idempotent-Replayed", again.headers.get("idempotent-replayed"), "true")


_INVARIANTS: Final[Sequence[Callable[[Case], Iterator[str]]]] = (
    _the_answer_is_the_expected_one,
    _what_a_service_says_is_told_only_if_it_was_declared,
    _a_success_is_whole_but_for_what_is_optional,
    _a_commit_that_outlasts_the_deadline_is_202_first,
    _an_answer_takes_as_long_as_it_must,
    _only_what_the_document_declares_is_sent,
    _no_caller_sees_what_is_not_meant_for_callers,
    _what_is_called_is_asked_as_often_as_it_must_and_nothing_else,
    _only_what_may_have_been_written_is_undone_the_last_first,
    _a_write_is_repeated_under_its_one_key,
    _nothing_is_left_behind,
    _what_stands_is_what_was_done_and_not_undone,
    _what_is_counted_is_as_if_it_had_all_or_never_been,
    _the_record_says_what_became_of_each_write,
    _asked_again_it_says_the_same,
)


def _compare(what: str, found: object, expected: object) -> Iterator[str]:
    if found != expected:
        yield f"{what}: {found}, not {expected}"


def _failures_in(said: _Object) -> Iterator[tuple[int, str, str | None]]:
    """Yield the failures in a problem."""
    if "errors" in said:
        for part in said["errors"]:
            yield part["status"], part["code"], part.get("source")
    elif "code" in said:
        yield said["status"], said["code"], said.get("source")


def _details(said: _Object) -> Iterator[str]:
    for part in said.get("errors", (said,)):
        yield part.get("detail", "")


def _to_tuple(part: ExpectedFailure) -> tuple[int, str, str | None]:
    return part.status, part.code, part.source


def _fields(answer: httpx.Response) -> _Object:
    return cast("_Object", json.loads(without_ids(answer.text)))


def _standing(states: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """Yield the keys of the writes in effect."""
    for state in states.values():
        for records in state.values():
            if isinstance(records, list):
                for record in cast("list[Mapping[str, str]]", records):
                    if record.get("status") not in _UNDONE_STATUSES:
                        yield record["key"]


def _quantities(states: Mapping[str, Mapping[str, object]]) -> object:
    """Return all quantities: stock and balances."""
    return {
        (service, what): dict(cast("Mapping[str, object]", amounts))
        for service, state in states.items()
        for what, amounts in state.items()
        if isinstance(amounts, dict)
    }
