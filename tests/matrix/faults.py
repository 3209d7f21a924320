"""What can befall a call."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, final

from tests.matrix.call_graph import Called

__all__ = ("FINE", "Fault", "Trouble", "UndoTrouble", "faults_of")

Trouble: TypeAlias = Literal[
    "none", "status", "hang", "refused", "dropped", "halved", "garbage", "lost", "late"
]
"""An answer that is *halved* breaks off in its body. *lost* is a write that is made, and its answer dropped;
*late* one that is made long after its caller has left."""

UndoTrouble: TypeAlias = Literal["none", "once", "always"]

_UNDECLARED: Final = (404, 410, 418)


@final
@dataclass(frozen=True, slots=True)
class Fault:
    """One trouble of one call, for each attempt or for the first *is_once*, and that of its undo.

    One that is refused *then* is so, with that declared status, from the second attempt on.
    One that *is_played_alone* is not put together with what befalls other calls, of which there are many.
    """

    title: str
    trouble: Trouble = "none"
    status: int = 0
    retry_after: int | None = None
    is_declared: bool = False
    is_once: bool = False
    then: int | None = None
    is_played_alone: bool = False
    undo: UndoTrouble = "none"


FINE: Final = Fault("nothing")


def faults_of(call: Called) -> Iterator[Fault]:
    """Give everything that can befall *call*."""
    for status in call.declared:
        yield Fault(f"{status}, declared", "status", status, is_declared=True)
    undeclared = next(status for status in _UNDECLARED if status not in call.declared)
    yield Fault(f"{undeclared}, not declared", "status", undeclared)
    yield Fault("500", "status", 500)
    # Each call of a stage another one, so that which of them counts can be seen.
    busy = Fault("503 with Retry-After", "status", 503, retry_after=2 + call.place)
    silent, refused = Fault("no answer", "hang"), Fault("connection refused", "refused")
    dropped, halved = Fault("connection dropped", "dropped"), Fault("half an answer", "halved")
    yield from (busy, silent, refused, dropped, halved, Fault("garbage", "garbage"))
    for passing in (busy, silent, refused, halved):
        yield replace(passing, title=f"{passing.title}, once", is_once=True, is_played_alone=True)
    yield replace(dropped, title=f"{dropped.title}, once", is_once=True)
    if call.is_write:
        yield Fault("done, its first answer lost", "lost", is_once=True)
        lost = Fault("done, every answer lost", "lost")
        yield lost
        if call.kind == "write" and call.declared:
            title = "done, its first answer lost, and refused then"
            yield replace(lost, title=title, then=call.declared[0], is_played_alone=True)
        yield Fault("done long after it was given up", "late")
        if call.undo is not None:
            yield Fault("its undo fails once", undo="once")
            yield Fault("its undo always fails", undo="always")
            yield replace(lost, title=f"{lost.title}, and its undo fails once", undo="once")
            yield replace(lost, title=f"{lost.title}, and its undo always fails", undo="always")
