"""What must hold in every cell, in whichever order the answers arrive."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast, final

import httpx

from mock_services.catalogue import SERVICES
from tests.matrix.call_graph import Shape
from tests.matrix.expected_answers import Expected, Part
from tests.matrix.faulty_services import SECRET
from tests.matrix.gateway_under_test import Played, without_ids
from tests.matrix.openapi_answers import Document
from tests.matrix.sample_requests import Sample

__all__ = ("Judged", "complaints")

_Object: TypeAlias = Mapping[str, Any]

_TAKEN_BACK: Final = frozenset({"cancelled", "reversed"})
_OURS: Final = re.compile(
    r"The \w+ service (is unavailable|did not answer in time|gave an answer that cannot be used)"
)
_RUNNING: Final = 202
_PAUSES: Final = 1.0
"""Seconds that latencies, and the pauses before retries and repeats, may take together."""


@final
@dataclass(frozen=True)
class Judged:
    """A cell that was played, beside what it must come to and what the pipeline comes to in good health."""

    sample: Sample
    shape: Shape
    document: Document
    healthy: Played
    played: Played
    wanted: Expected


def complaints(case: Judged) -> Iterator[str]:
    """Say what does not hold."""
    for invariant in _INVARIANTS:
        yield from invariant(case)


def _the_answer_is_the_expected_one(case: Judged) -> Iterator[str]:
    answer, wanted = case.played.final, case.wanted
    said = answer.json()
    yield from _differs("status", answer.status_code, wanted.status)
    yield from _differs("code", said.get("code"), wanted.code)
    yield from _differs("failures", [*_told(said)], [_as_told(part) for part in wanted.parts])
    after = None if wanted.retry_after is None else str(wanted.retry_after)
    yield from _differs("Retry-After", answer.headers.get("retry-after"), after)
    is_whole = not wanted.parts and not wanted.lacking
    yield from _differs("Gateway-Completed", answer.headers["gateway-completed"], str(is_whole).lower())
    scheme = "Bearer" if wanted.code == "unauthorized" else None
    yield from _differs("WWW-Authenticate", answer.headers.get("www-authenticate"), scheme)


def _what_a_service_says_is_told_only_if_it_was_declared(case: Judged) -> Iterator[str]:
    details = [*_details(case.played.final.json())]
    for part, detail in zip(case.wanted.parts, details, strict=False):
        if part.detail is not None:
            yield from _differs("detail", detail, part.detail)
        elif part.source is not None and _OURS.fullmatch(detail) is None:
            yield f"detail: {detail}"


def _a_success_is_whole_but_for_what_is_optional(case: Judged) -> Iterator[str]:
    if case.wanted.parts:
        return
    said, whole = _fields(case.played.final), _fields(case.healthy.final)
    missing = [name for name, value in said.items() if value is None and whole[name] is not None]
    degraded: Sequence[str] = said.get("degraded", ())
    yield from _differs("degraded", [*degraded], missing)
    yield from _differs("how many are missing", len(missing), len(case.wanted.lacking))
    same = {name: whole[name] for name in whole if name not in {*missing, "degraded"}}
    yield from _differs("body", {name: said.get(name) for name in same}, same)


def _a_commit_that_outlasts_the_deadline_is_202_first(case: Judged) -> Iterator[str]:
    first = case.played.first
    yield from _differs("202 at first", first.status_code == _RUNNING, case.wanted.outlasts)
    if first.status_code == _RUNNING:
        body = {"execution_id": case.played.execution_id, "pipeline": case.shape.name, "state": "running"}
        yield from _differs("body of the 202", first.json(), body)
        yield from _differs("Retry-After of the 202", first.headers.get("retry-after"), "1")
        where = f"/executions/{case.played.execution_id}"
        yield from _differs("Location of the 202", first.headers.get("location"), where)


def _an_answer_takes_as_long_as_it_must(case: Judged) -> Iterator[str]:
    least = case.wanted.seconds
    if not least <= case.played.seconds < least + _PAUSES:
        yield f"it took {case.played.seconds} s, not {least} s and a little"


def _only_what_the_document_declares_is_sent(case: Judged) -> Iterator[str]:
    for answer in case.played.answers:
        yield from case.document.complaints(case.sample.method, case.sample.route, answer)
    if case.played.record is not None:
        yield from case.document.complaints("GET", "/executions/{execution_id}", case.played.record)


def _no_caller_sees_what_is_not_meant_for_callers(case: Judged) -> Iterator[str]:
    for answer in case.played.answers:
        if SECRET in f"{answer.text}{answer.headers}":
            yield f"the answer has what a service said for itself: {answer.text}"


def _what_is_called_is_asked_as_often_as_it_must_and_nothing_else(case: Judged) -> Iterator[str]:
    asked = Counter(seen.name for seen in case.played.made)
    yield from _differs("calls", sorted(asked), sorted(case.wanted.asked))
    for name, times in case.wanted.asked.items():
        if name in asked and asked[name] not in times:
            yield f"{name} was asked for {asked[name]} times, not {times.start} to {times[-1]}"


def _only_what_may_have_been_written_is_undone_the_last_first(case: Judged) -> Iterator[str]:
    calls = {call.name for call in case.shape.calls}
    undone = dict.fromkeys(seen.name for seen in case.played.made if seen.name not in calls)
    writes = case.wanted.writes or {}
    wanted = [
        call.undo.name
        for call in reversed(case.shape.calls)
        if call.undo is not None and writes.get(call.name) in {"undone", "stuck"}
    ]
    yield from _differs("undos", [*undone], wanted)


def _a_write_is_repeated_under_its_one_key(case: Judged) -> Iterator[str]:
    keys: dict[str, set[str | None]] = {}
    for seen in case.played.made:
        keys.setdefault(seen.name, set()).add(seen.key)
    for name, found in keys.items():
        if len(found) > 1:
            yield f"{name} was sent under {len(found)} keys"


def _nothing_is_left_behind(case: Judged) -> Iterator[str]:
    yield from case.played.left
    late = case.played.seen[len(case.played.made) :]
    if late:
        yield f"calls after the answer: {', '.join(seen.name for seen in late)}"


def _what_stands_is_what_was_done_and_not_undone(case: Judged) -> Iterator[str]:
    played = case.played
    by_key = {seen.key: seen.name for seen in played.made if seen.key is not None}
    standing = sorted(by_key.get(key, f"nobody's {key}") for key in _standing(played.states))
    yield from _differs("standing", standing, sorted(case.wanted.standing))


def _what_is_counted_is_as_if_it_had_all_or_never_been(case: Judged) -> Iterator[str]:
    if not case.wanted.parts:
        wanted = _counted(case.healthy.states)
    elif not case.wanted.standing:
        wanted = _counted({name: SERVICES[name]().state() for name in case.played.states})
    else:
        return
    yield from _differs("stock and balances", _counted(case.played.states), wanted)


def _the_record_says_what_became_of_each_write(case: Judged) -> Iterator[str]:
    writes, record = case.wanted.writes, case.played.record
    if writes is None or record is None:
        yield from _differs("a record of the execution", record is not None, writes is not None)
        return
    said = record.json()
    found = {write["name"]: write["outcome"] for write in said["writes"]}
    yield from _differs("writes", found, dict(writes))
    outcomes = set(writes.values())
    ended = "stuck" if "stuck" in outcomes else "undone" if case.wanted.parts else "committed"
    yield from _differs("state", said["state"], ended)


def _asked_again_it_says_the_same(case: Judged) -> Iterator[str]:
    again, answer = case.played.again, case.played.final
    if again is None:
        return
    yield from _differs("status when asked again", again.status_code, answer.status_code)
    yield from _differs("body when asked again", again.text, answer.text)
    yield from _differs("Idempotent-Replayed", again.headers.get("idempotent-replayed"), "true")


_INVARIANTS: Final[Sequence[Callable[[Judged], Iterator[str]]]] = (
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


def _differs(what: str, found: object, wanted: object) -> Iterator[str]:
    if found != wanted:
        yield f"{what}: {found}, not {wanted}"


def _told(said: _Object) -> Iterator[tuple[int, str, str | None]]:
    """Give the failures that a problem tells."""
    if "errors" in said:
        for part in said["errors"]:
            yield part["status"], part["code"], part.get("source")
    elif "code" in said:
        yield said["status"], said["code"], said.get("source")


def _details(said: _Object) -> Iterator[str]:
    for part in said.get("errors", (said,)):
        yield part.get("detail", "")


def _as_told(part: Part) -> tuple[int, str, str | None]:
    return part.status, part.code, part.source


def _fields(answer: httpx.Response) -> _Object:
    return cast("_Object", json.loads(without_ids(answer.text)))


def _standing(states: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """Give the keys of what was written and has not been taken back."""
    for state in states.values():
        for records in state.values():
            if isinstance(records, list):
                for record in cast("list[Mapping[str, str]]", records):
                    if record.get("status") not in _TAKEN_BACK:
                        yield record["key"]


def _counted(states: Mapping[str, Mapping[str, object]]) -> object:
    """Give what there is so and so much of."""
    return {
        (service, what): dict(cast("Mapping[str, object]", amounts))
        for service, state in states.items()
        for what, amounts in state.items()
        if isinstance(amounts, dict)
    }
