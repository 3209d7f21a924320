"""The page that shows the matrix."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Final, TypeAlias

from gateway.app import create_app
from gateway.settings import Settings
from tests.matrix.call_graph import Called, Shape, Stage
from tests.matrix.cells import Cell, arrivals, pairs, singles
from tests.matrix.discovery import shapes
from tests.matrix.expected_answers import Expected, expected
from tests.matrix.faults import Fault
from tests.matrix.faulty_services import Services
from tests.matrix.openapi_answers import Document
from tests.matrix.sample_requests import SAMPLES, Sample

__all__ = ("PAGE", "current")

PAGE: Final = Path(__file__).parents[2] / "docs" / "failures.md"

_INTRODUCTION: Final = """\
# What becomes of a request when its calls fail

Made by `.venv/bin/python -m tests.matrix` from the pipelines themselves: do not edit. Each pipeline is run to
find out what it calls, and each call is refused with every 4xx to find out which of them it declares. Then
everything below befalls every call, alone, and most of it together with most of what can befall another
call of its stage: {cells} cells, each of them a request to the whole gateway, in three or four orders of
arrival of what the calls come to. Tests play them all, and hold each to this page and to what follows.

- The answer is the same whatever arrives first, and its status and body are declared in the OpenAPI document.
- A service is asked as often as is said below, and the answer takes as long as that does, and no longer.
- No call of a later stage is made. No task, no open answer and no call are left behind.
- After a failure every write of the commit is refused or undone, or the answer says `stuck`. After a success
  none is undone. What the services hold in the end is what these words say.
- A call that a pipeline can do without never fails it.
- Asked again under the same Idempotency-Key, the gateway says the same, and calls nobody.

## What befalls a call

| | the service | may pass |
|---|---|---|
| a declared 4xx | refuses, as the pipeline expects it to | |
| another 4xx, 500 | answers with a status that the call does not declare | |
| 503 with Retry-After | asks to come back: after 2 s the first call of a stage, 3 s the second, ... | yes |
| no answer | does not answer, and has done nothing | yes |
| connection refused | is not reached | yes |
| connection dropped | hangs up without an answer, and has done nothing | yes |
| half an answer | does what it is asked, and hangs up in the middle of its answer | yes |
| garbage | answers 200 and something that is not JSON, and has done nothing | |
| ..., once | does so the first time, and what it is asked the next | yes |
| done, its first answer lost | does what it is asked, hangs up, and answers when it is asked again | yes |
| done, its first answer lost, and refused then | refuses, when it is asked again, what it has done | yes |
| done, every answer lost | does what it is asked, and hangs up each time | yes |
| done long after it was given up | does what it is asked after 12 s, by when nobody waits for it | yes |
| its undo fails | hangs up when it is asked to undo what it has done, once or each time | yes |

## How often a service is asked

Once, unless what befalls the call may pass. Then it is asked again:

| | how often in all | in how much time |
|---|---|---|
| a call | 3 times, after pauses of up to 0.05 and 0.1 s | the 5 seconds that the request has |
| the same, in a commit | 3 times | the 10 seconds that the commit has |
| a call that the pipeline can do without | 3 times | 0.5 seconds |
| a write that was not sent (connection refused) | 3 times | the 10 seconds that the commit has |
| any other write | until it is known what came of it, under one key | the 10 seconds that the commit has |
| an undo | until it is made | 30 seconds |

An attempt has 1 second. After a 503 with Retry-After the pause is longer by what the service asks for; where
that is more than there is time, it is not asked again. All this is so where the service has been well so far.
One that fails at half of what it is asked is not asked, and after many retries there are fewer: the call has
failed with what came of it so far, or is `unavailable`. Repeats of a write that was sent, and undos, are made
all the same.

## What a failed call means for the others

| | the calls | the answer |
|---|---|---|
| settle | are made at once, and all awaited | every failure: several 4xx are 207, with a 5xx the highest |
| fail fast | are made at once, and those after a failed one cancelled | the first failure in their order |
| commit, parallel | are made at once, and awaited; a failed one undoes all | as if settled, or `stuck` |
| commit, in order | are made one by one; a failed one undoes those before it | that failure, or `stuck` |

Where a commit outlasts the deadline of 5 seconds, the first answer is 202 and says where to look: there "202,
then" stands before the answer that the same Idempotency-Key brings in the end.

## How many

| pipeline | one fault | two faults | requests |
|---|---|---|---|
"""

_Row: TypeAlias = tuple[Called, Fault, Expected]


def current() -> str:
    """Give the page as it must be now."""
    document = Document(create_app(Settings(), Services()).openapi())
    found = [
        (sample, shapes()[sample.name], document.success_of(sample.method, sample.route))
        for sample in SAMPLES
    ]
    counted = [(sample, *_counts(shape)) for sample, shape, _ in found]
    cells = sum(one + two for _, one, two, _ in counted)
    lines = [_INTRODUCTION.format(cells=cells).rstrip()]
    lines += [f"| {_request(sample)} | {one} | {two} | {sent} |" for sample, one, two, sent in counted]
    for sample, shape, success in found:
        lines += ["", f"## {_request(sample)}"]
        for stage in shape.stages:
            lines += ["", *_stage(shape, stage, success)]
    return "\n".join(lines) + "\n"


def _request(sample: Sample) -> str:
    return f"`{sample.method} {sample.route}`"


def _counts(shape: Shape) -> tuple[int, int, int]:
    """Count the cells with one fault, those with two, and the requests that play them."""
    ones = {stage: len([*_alone(stage)]) for stage in shape.stages}
    twos = {stage: len([*_together(stage)]) for stage in shape.stages}
    sent = sum((ones[stage] + twos[stage]) * len(arrivals(stage)) for stage in shape.stages)
    return sum(ones.values()), sum(twos.values()), sent


def _alone(stage: Stage) -> Iterator[Cell]:
    for call in stage.calls:
        yield from singles(stage, call)


def _together(stage: Stage) -> Iterator[Cell]:
    for one, other in combinations(stage.calls, 2):
        yield from pairs(stage, one, other)


def _stage(shape: Shape, stage: Stage, success: int) -> Iterator[str]:
    yield f"### {stage.name} ({'commit, ' if stage.is_commit else ''}{stage.policy})"
    yield ""
    yield from _commit(shape, stage, success) if stage.is_commit else _reads(shape, stage, success)
    yield ""
    told = [expected(shape, cell, success) for cell in _together(stage)]
    if told:
        yield f"Two of these at once: {_summed(told)}; {len(told)} cells."


def _reads(shape: Shape, stage: Stage, success: int) -> Iterator[str]:
    """Give one table: a row for what befalls, a column for whom."""
    answers: dict[str, dict[str, str]] = {}
    for call, fault, wanted in _rows(shape, stage, success):
        answers.setdefault(_label(fault), {})[call.name] = _answer(wanted)
    names = [call.name for call in stage.calls]
    yield _line(["", *map(_code, names)])
    yield "|---" * (len(names) + 1) + "|"
    for label, said in answers.items():
        yield _line([label, *(said.get(name, "") for name in names)])


def _commit(shape: Shape, stage: Stage, success: int) -> Iterator[str]:
    """Give a table for each call: what befalls it, the answer, and what becomes of the writes."""
    writes = [call.name for call in stage.calls if call.kind == "write"]
    yield _line(["call", "what befalls it", "answer", *map(_code, writes)])
    yield "|---" * (len(writes) + 3) + "|"
    for call, fault, wanted in _rows(shape, stage, success):
        outcomes = wanted.writes or {}
        yield _line([_code(call.name), _label(fault), _answer(wanted), *(outcomes[name] for name in writes)])


def _rows(shape: Shape, stage: Stage, success: int) -> Iterator[_Row]:
    """Give every fault of every call of *stage* alone; the declared ones first."""
    calls = {call.name: call for call in stage.calls}
    found: list[_Row] = []
    for cell in _alone(stage):
        ((name, fault),) = cell.faults.items()
        found.append((calls[name], fault, expected(shape, cell, success)))
    return iter(found) if stage.is_commit else iter(sorted(found, key=_declared_first))


def _declared_first(row: _Row) -> tuple[bool, int]:
    _, fault, _ = row
    return (not fault.is_declared, fault.status if fault.is_declared else 0)


def _label(fault: Fault) -> str:
    """Say what befell, in the same words for every call."""
    if fault.is_declared:
        return str(fault.status)
    return "another 4xx" if fault.status and fault.status < 500 else fault.title


def _answer(wanted: Expected) -> str:
    first = "202, then " if wanted.outlasts else ""
    if wanted.lacking:
        return f"{wanted.status} without it"
    return f"{first}{wanted.status}" + (f" {_code(wanted.code)}" if wanted.code else "")


def _summed(told: Sequence[Expected]) -> str:
    """Say how often which answer comes."""
    counted = Counter(_in_short(wanted) for wanted in told)
    return ", ".join(f"{count} times {answer}" for answer, count in sorted(counted.items()))


def _in_short(wanted: Expected) -> str:
    if wanted.code == "stuck":
        return f"{wanted.status} {_code(wanted.code)}"
    return f"{wanted.status} without one or both" if wanted.lacking else f"{wanted.status}"


def _code(text: str | None) -> str:
    return f"`{text}`"


def _line(cells: Iterable[str]) -> str:
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"
