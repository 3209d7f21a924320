"""Invariants of every cell, in every order of arrival."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast, final

import httpx

from tests.matrix.call_graph import CallGraph
from tests.matrix.expected_answers import ExpectedFailure, ExpectedResult
from tests.matrix.faulty_services import SECRET
from tests.matrix.gateway_under_test import CellResult, parse_body
from tests.matrix.openapi_answers import Document
from tests.matrix.request_identity import without_ids
from tests.matrix.subject import Sample

__all__ = ("Case", "find_violations")

_Object: TypeAlias = Mapping[str, Any]
_Failure: TypeAlias = tuple[int, str, str | None, int | None]
"""Status, code, source and item of a failure."""

_GATEWAY_DETAIL: Final = re.compile(
    r"The \w+ service (is unavailable|did not answer in time|sent an unusable answer)"
)
_ROUNDING: Final = 1e-6
"""Seconds by which the sum of several times may be too small."""

_RUNNING: Final = 202


@final
@dataclass(frozen=True)
class Case:
    """A cell that was run, with its expected result and the result without faults."""

    sample: Sample
    graph: CallGraph
    document: Document
    healthy: CellResult
    result: CellResult
    expected: ExpectedResult


def find_violations(case: Case) -> Iterator[str]:
    """Yield a sentence for each violated invariant."""
    for invariant in _INVARIANTS:
        yield from invariant(case)


def _check_response(case: Case) -> Iterator[str]:
    """Check that the final response has the expected status, code, failures and headers."""
    answer, expected = case.result.final, case.expected
    body = parse_body(answer)
    yield from _compare("status", answer.status_code, expected.status)
    yield from _compare("code", body.get("code"), expected.code)
    yield from _compare("failures", [*_list_failures(body)], [_to_tuple(part) for part in expected.parts])
    after = None if expected.retry_after is None else str(expected.retry_after)
    yield from _compare("Retry-After", answer.headers.get("retry-after"), after)
    is_whole = not expected.parts and not expected.missing
    yield from _compare("Gateway-Completed", answer.headers["gateway-completed"], str(is_whole).lower())
    scheme = "Bearer" if expected.code == "unauthorized" else None
    yield from _compare("WWW-Authenticate", answer.headers.get("www-authenticate"), scheme)


def _check_details(case: Case) -> Iterator[str]:
    """Check that the detail of a service is passed on only if its status is declared."""
    details = [*_list_details(parse_body(case.result.final))]
    for part, detail in zip(case.expected.parts, details, strict=False):
        if part.detail is not None:
            yield from _compare("detail", detail, part.detail)
        elif part.source is not None and _GATEWAY_DETAIL.fullmatch(detail) is None:
            yield f"detail: {detail}"


def _check_success_body(case: Case) -> Iterator[str]:
    """Check that a success is complete except for failed optional calls."""
    if case.expected.parts:
        return
    body, whole = _parse_success(case.result.final), _parse_success(case.healthy.final)
    missing = [name for name, value in body.items() if value is None and whole[name] is not None]
    degraded: Sequence[str] = body.get("degraded", ())
    yield from _compare("degraded", [*degraded], missing)
    yield from _compare("number of missing parts", len(missing), len(case.expected.missing))
    same = {name: whole[name] for name in whole if name not in {*missing, "degraded"}}
    yield from _compare("body", {name: body.get(name) for name in same}, same)


def _check_accepted_response(case: Case) -> Iterator[str]:
    """Check that the first response is a 202 if the commit outlasts the deadline."""
    first = case.result.first
    yield from _compare("first response is a 202", first.status_code == _RUNNING, case.expected.outlasts)
    if first.status_code == _RUNNING:
        body = {"execution_id": case.result.execution_id, "pipeline": case.graph.name, "state": "running"}
        yield from _compare("body of the 202", first.json(), body)
        yield from _compare("Retry-After of the 202", first.headers.get("retry-after"), "1")
        location = f"/executions/{case.result.execution_id}"
        yield from _compare("Location of the 202", first.headers.get("location"), location)


def _check_duration(case: Case) -> Iterator[str]:
    """Check that the first response takes the expected time, plus backoff."""
    least, backoff = case.expected.seconds, case.expected.backoff
    if not least - _ROUNDING <= case.result.seconds < least + backoff:
        yield f"the response took {case.result.seconds} s, not {least} s plus up to {backoff} s backoff"


def _check_openapi(case: Case) -> Iterator[str]:
    """Check that every response matches the OpenAPI document."""
    for answer in case.result.answers:
        yield from case.document.find_violations(case.sample.method, case.sample.route.path, answer)
    if case.result.record is not None:
        yield from case.document.find_violations("GET", "/executions/{execution_id}", case.result.record)


def _check_internals(case: Case) -> Iterator[str]:
    """Check that no response contains undeclared text of a service."""
    for answer in case.result.answers:
        if SECRET in f"{answer.text}{answer.headers}":
            yield f"the response contains internals of a service: {answer.text}"


def _check_attempts(case: Case) -> Iterator[str]:
    """Check that exactly the expected calls are made, with the expected number of attempts."""
    attempts = Counter(seen.name for seen in case.result.before_end)
    yield from _compare("calls", sorted(attempts), sorted(case.expected.attempts))
    for name, times in case.expected.attempts.items():
        if name in attempts and attempts[name] not in times:
            yield f"{name} had {attempts[name]} attempts, not {times.start} to {times[-1]}"


def _check_undos(case: Case) -> Iterator[str]:
    """Check that exactly the writes that may have taken effect are undone, in reverse order."""
    undo_of = _map_to_undos(case.graph)
    undone = dict.fromkeys(undo_of[seen.name] for seen in case.result.before_end if seen.name in undo_of)
    writes = case.expected.writes or {}
    expected = [
        call.undo.name
        for call in reversed(case.graph.calls)
        if call.undo is not None and writes.get(call.name) in {"undone", "stuck"}
    ]
    yield from _compare("undos", [*undone], expected)


def _check_keys(case: Case) -> Iterator[str]:
    """Check that all attempts of a write have the same key."""
    keys: dict[str, set[str | None]] = {}
    for seen in case.result.before_end:
        keys.setdefault(seen.name, set()).add(seen.key)
    for name, found in keys.items():
        if len(found) > 1:
            yield f"{name} was sent with {len(found)} keys"


def _check_leaks(case: Case) -> Iterator[str]:
    """Check that no task, response or call is left open."""
    yield from case.result.left
    late = case.result.received[len(case.result.before_end) :]
    if late:
        yield f"calls after the response: {', '.join(seen.name for seen in late)}"


def _check_writes_in_effect(case: Case) -> Iterator[str]:
    """Check that exactly the expected writes are in effect at the end."""
    result = case.result
    by_key = {seen.key: seen.name for seen in result.before_end if seen.key is not None}
    in_effect = sorted(by_key.get(key, f"unknown key {key}") for key in result.effects)
    yield from _compare("writes in effect", in_effect, sorted(case.expected.in_effect))


def _check_quantities(case: Case) -> Iterator[str]:
    """Check that quantities (stock, balances) match a success, or are unchanged if no write is in effect."""
    result = case.result
    if not case.expected.parts:
        yield from _compare("quantities", result.quantities, case.healthy.quantities)
    elif not case.expected.in_effect:
        yield from _compare("quantities", result.quantities, result.initial)


def _check_record(case: Case) -> Iterator[str]:
    """Check that the execution has a record with the outcome of each write."""
    writes, record = case.expected.writes, case.result.record
    if writes is None or record is None:
        yield from _compare("record of the execution", record is not None, writes is not None)
        return
    body = record.json()
    found = {write["name"]: write["outcome"] for write in body["writes"]}
    yield from _compare("writes", found, dict(writes))
    outcomes = set(writes.values())
    ended = "stuck" if "stuck" in outcomes else "undone" if case.expected.parts else "committed"
    yield from _compare("state", body["state"], ended)


def _check_repeat(case: Case) -> Iterator[str]:
    """Check that a repeated request gets the same response."""
    repeat, answer = case.result.repeat, case.result.final
    if repeat is None:
        return
    yield from _compare("status of the repeat", repeat.status_code, answer.status_code)
    yield from _compare("body of the repeat", repeat.text, answer.text)
    yield from _compare("Idempotent-Replayed", repeat.headers.get("idempotent-replayed"), "true")


_INVARIANTS: Final[Sequence[Callable[[Case], Iterator[str]]]] = (
    _check_response,
    _check_details,
    _check_success_body,
    _check_accepted_response,
    _check_duration,
    _check_openapi,
    _check_internals,
    _check_attempts,
    _check_undos,
    _check_keys,
    _check_leaks,
    _check_writes_in_effect,
    _check_quantities,
    _check_record,
    _check_repeat,
)


def _compare(name: str, found: object, expected: object) -> Iterator[str]:
    if found != expected:
        yield f"{name}: {found}, not {expected}"


def _list_failures(body: _Object) -> Iterator[_Failure]:
    """Yield the failures in a problem."""
    for part in body.get("errors", [body] if "code" in body else []):
        yield part["status"], part["code"], part.get("source"), part.get("item")


def _list_details(body: _Object) -> Iterator[str]:
    for part in body.get("errors", (body,)):
        yield part.get("detail", "")


def _to_tuple(part: ExpectedFailure) -> _Failure:
    return part.status, part.code, part.source, part.item


def _parse_success(answer: httpx.Response) -> _Object:
    return cast("_Object", json.loads(without_ids(answer.text) or "{}"))


def _map_to_undos(graph: CallGraph) -> Mapping[str, str]:
    """Return the name of the undo for each undo and each look-up."""
    by_lookup = {undo.lookup.name: undo.name for undo in graph.undos if undo.lookup is not None}
    return {undo.name: undo.name for undo in graph.undos} | by_lookup
