"""An invariant of the matrix that is broken is complained of."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import httpx
import pytest

from tests.matrix.cells import Cell
from tests.matrix.discovery import discover_call_graphs
from tests.matrix.expected_answers import ExpectedFailure, ExpectedResult, expect_result
from tests.matrix.faults import Fault
from tests.matrix.faulty_services import SECRET, ReceivedRequest
from tests.matrix.gateway_under_test import Gateway, PlayedCell, load_document
from tests.matrix.invariants import Case, find_violations
from tests.matrix.sample_requests import SAMPLES

NO_FAULT: Final[Mapping[str, Fault]] = {}
NO_USER: Final = {"users.fetch": Fault("no such user", "status", 404, is_declared=True)}
LOST: Final = {"inventory.reserve": Fault("lost", "lost")}
RESTIVE: Final = {"users.fetch": Fault("refused", "refused")}
BUSY: Final = {"users.fetch": Fault("busy", "status", 503, retry_after=2, is_once=True)}
ONCE: Final = range(1, 2)
TWICE: Final = range(2, 3)
SHAPE: Final = discover_call_graphs()["orders"]
DOCUMENT: Final = load_document()
MISSING: Final = ExpectedFailure(404, "users.fetch", detail="nobody")


@asynccontextmanager
async def judged(faults: Mapping[str, Fault]) -> AsyncGenerator[Case]:
    """Play one cell of the orders, as it should be."""
    (sample,) = (sample for sample in SAMPLES if sample.name == "orders")
    cell = Cell(SHAPE.stages[-1], faults)
    async with Gateway.open(sample, SHAPE) as gateway:
        healthy = await gateway.play(Cell(SHAPE.stages[0], NO_FAULT), {})
        played = await gateway.play(cell, {})
        yield Case(sample, SHAPE, DOCUMENT, healthy, played, expect_result(SHAPE, cell, 201))


def said(answer: httpx.Response, **headers: str) -> httpx.Response:
    """Give *answer* with other headers, one of them its body."""
    content = headers.pop("content", answer.text)
    return httpx.Response(
        answer.status_code,
        headers={**answer.headers, "content-length": str(len(content)), **headers},
        content=content,
    )


def wants(change: Callable[[ExpectedResult], ExpectedResult]) -> Callable[[Case], Case]:
    return lambda case: replace(case, expected=change(case.expected))


def plays(change: Callable[[PlayedCell], PlayedCell]) -> Callable[[Case], Case]:
    return lambda case: replace(case, played=change(case.played))


@pytest.mark.parametrize(
    ("faults", "broken", "complaint"),
    [
        (NO_FAULT, wants(lambda it: replace(it, status=200)), "status: 201, not 200"),
        (
            NO_FAULT,
            wants(lambda it: replace(it, parts=(MISSING,))),
            "failures: [], not [(404, 'not-found', 'users.fetch')]",
        ),
        (
            NO_USER,
            wants(lambda it: replace(it, parts=(ExpectedFailure(502, "users.fetch"),))),
            "detail: no such user",
        ),
        (NO_USER, wants(lambda it: replace(it, parts=(MISSING,))), "detail: no such user, not nobody"),
        (NO_FAULT, wants(lambda it: replace(it, missing=("users.fetch",))), "how many are missing: 0, not 1"),
        (
            NO_FAULT,
            wants(lambda it: replace(it, attempts={"users.fetch": ONCE})),
            "calls: ['fraud.screen', 'inventory.check'",
        ),
        (
            NO_FAULT,
            wants(lambda it: replace(it, writes={"inventory.reserve": "undone"})),
            "undos: [], not ['inventory.release']",
        ),
        (NO_FAULT, wants(lambda it: replace(it, writes=None)), "a record of the execution: True, not False"),
        (
            NO_FAULT,
            wants(lambda it: replace(it, standing=frozenset[str]())),
            "standing: ['inventory.reserve'], not []",
        ),
        (
            NO_FAULT,
            wants(lambda it: replace(it, attempts={**it.attempts, "users.fetch": TWICE})),
            "asked for 1 times",
        ),
        (
            RESTIVE,
            wants(lambda it: replace(it, attempts={**it.attempts, "users.fetch": TWICE})),
            "asked for 3 times",
        ),
        (NO_FAULT, plays(lambda it: replace(it, seconds=1.0)), "it took 1.0 s, not 0.0 s and a little"),
        (BUSY, plays(lambda it: replace(it, seconds=1.9)), "it took 1.9 s, not 2.0 s and a little"),
        (NO_FAULT, plays(lambda it: replace(it, left=["a task"])), "a task"),
        (
            NO_FAULT,
            plays(lambda it: replace(it, states={})),
            "stock and balances: {}, not {('inventory', 'stock')",
        ),
        (
            NO_FAULT,
            plays(lambda it: replace(it, received=[*it.received, ReceivedRequest("users.fetch", None)])),
            "calls after the answer: users.fetch",
        ),
        (
            NO_FAULT,
            plays(
                lambda it: replace(
                    it, before_end=[*it.before_end, ReceivedRequest("inventory.reserve", "another")]
                )
            ),
            "inventory.reserve was sent under 2 keys",
        ),
        (
            NO_FAULT,
            plays(lambda it: replace(it, final=said(it.final, content="{}"))),
            '"order_id" is a required',
        ),
        (
            NO_FAULT,
            plays(lambda it: replace(it, final=said(it.final, server="x"))),
            "the header server is not",
        ),
        (
            NO_FAULT,
            plays(lambda it: replace(it, final=said(it.final, location=SECRET))),
            "the answer has what a service said for itself",
        ),
        (NO_FAULT, plays(lambda it: replace(it, repeat=it.final)), "Idempotent-Replayed: None, not true"),
        (LOST, wants(lambda it: replace(it, outlasts=False)), "202 at first: True, not False"),
        (
            LOST,
            wants(lambda it: replace(it, writes={"inventory.reserve": "stuck"})),
            "state: undone, not stuck",
        ),
        (LOST, plays(lambda it: replace(it, first=said(it.first, location="/"))), "Location of the 202: /"),
    ],
)
async def test_what_does_not_hold_is_said(
    faults: Mapping[str, Fault], broken: Callable[[Case], Case], complaint: str
) -> None:
    async with judged(faults) as case:
        found = [*find_violations(broken(case))]

        assert not [*find_violations(case)]
        assert any(complaint in said for said in found), found


async def test_a_breaker_that_a_cell_leaves_open_is_seen() -> None:
    (sample,) = (sample for sample in SAMPLES if sample.name == "orders")
    async with Gateway.open(sample, SHAPE) as gateway:
        before = await gateway.find_open_breakers()
        await asyncio.gather(*(gateway.play(Cell(SHAPE.stages[0], RESTIVE), {}) for _ in range(20)))
        after = await gateway.find_open_breakers()

    assert (before, after) == ([], ["user"])
