"""Faults of a call."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, final

from tests.matrix.call_graph import CallSpec

__all__ = ("NO_FAULT", "Fault", "FaultKind", "UndoFault", "faults_of")

FaultKind: TypeAlias = Literal[
    "none", "status", "page", "bare", "empty", "hang", "refused", "dropped", "truncated", "garbage", "lost",
    "late",
]  # fmt: skip
"""*page* and *bare* are a status of a proxy: with an HTML page, and with neither a type nor a body.
*empty* is an empty list with status 200, and *truncated* a response that ends in the middle of its body.
*lost* is a write that takes effect without a response, and *late* one that takes effect after the timeout of
its client."""

UndoFault: TypeAlias = Literal["none", "once", "page", "always"]
"""*page* is a 200 with the HTML page of a proxy in place of the first undo."""

_UNDECLARED: Final = (404, 410, 418)


@final
@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a call, for every attempt or only the first (*is_once*), and the fault of its undo.

    *lookup* is the fault of the look-up that its undo needs if the answer of the call was lost.

    With *then*, attempts from the second on fail with this declared status. Faults with *is_alone_only* are
    not combined with faults of other calls, which limits the number of cells.
    """

    title: str
    kind: FaultKind = "none"
    status: int = 0
    retry_after: int | None = None
    is_declared: bool = False
    is_once: bool = False
    then: int | None = None
    is_alone_only: bool = False
    undo: UndoFault = "none"
    lookup: UndoFault = "none"


NO_FAULT: Final = Fault("nothing")


def faults_of(call: CallSpec) -> Iterator[Fault]:
    """Yield every fault of *call*."""
    for status in call.declared_statuses:
        yield Fault(f"{status}, declared", "status", status, is_declared=True)
    if call.is_empty_declared:
        yield Fault("no results, declared", "empty", 200, is_declared=True)
    undeclared = next(status for status in _UNDECLARED if status not in call.declared_statuses)
    yield Fault(f"{undeclared}, not declared", "status", undeclared)
    for status in call.declared_statuses:
        yield Fault(f"{status} as an HTML page", "page", status, is_alone_only=True)
        yield Fault(f"{status} without type and body", "bare", status, is_alone_only=True)
    yield Fault("500", "status", 500)
    # Each call of a stage has a different value, so that the response identifies the call.
    busy = Fault("503 with Retry-After", "status", 503, retry_after=2 + call.place)
    bad_gateway = Fault("502", "status", 502, is_alone_only=True)
    hanging, refused = Fault("no response", "hang"), Fault("connection refused", "refused")
    dropped, truncated = Fault("connection dropped", "dropped"), Fault("truncated response", "truncated")
    broken = (dropped, truncated) if call.has_body else (dropped,)
    page = Fault("200 as an HTML page", "page", 200)
    malformed = Fault("malformed response", "garbage") if call.has_body else page
    yield from (busy, hanging, refused, *broken, malformed, bad_gateway)
    for transient in (bad_gateway, busy, hanging, refused, *broken[1:]):
        yield replace(transient, title=f"{transient.title}, once", is_once=True, is_alone_only=True)
    yield replace(dropped, title=f"{dropped.title}, once", is_once=True)
    if call.is_write:
        yield from _faults_of_write(call)


def _faults_of_write(call: CallSpec) -> Iterator[Fault]:
    yield Fault("first response lost", "lost", is_once=True)
    lost = Fault("every response lost", "lost")
    yield lost
    if call.kind == "write" and call.declared:
        title = "first response lost, retry refused"
        yield replace(lost, title=title, then=call.declared[0].status, is_alone_only=True)
    yield Fault("write applied after the timeout", "late")
    if call.undo is not None:
        yield Fault("undo fails once", undo="once")
        yield Fault("undo always fails", undo="always")
        yield replace(lost, title=f"{lost.title}, undo fails once", undo="once")
        yield replace(lost, title=f"{lost.title}, undo always fails", undo="always")
        title = f"{lost.title}, first undo answered by an HTML page"
        yield replace(lost, title=title, undo="page", is_alone_only=True)
        if call.undo.lookup is not None:
            yield replace(lost, title=f"{lost.title}, look-up fails once", lookup="once", is_alone_only=True)
            yield replace(lost, title=f"{lost.title}, look-up always fails", lookup="always")
