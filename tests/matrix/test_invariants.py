"""Detection of violated invariants of the matrix."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import httpx
import pytest

from tests.matrix.cells import Cell
from tests.matrix.courier_subject import COURIER
from tests.matrix.discovery import discover_call_graphs
from tests.matrix.expected_answers import ExpectedFailure, ExpectedResult, expect_result
from tests.matrix.faults import Fault
from tests.matrix.faulty_services import SECRET, ReceivedRequest
from tests.matrix.gateway_under_test import CellResult, Gateway, load_document
from tests.matrix.invariants import Case, find_violations
from tests.matrix.shipped_subject import SHIPPED

NO_FAULT: Final[Mapping[str, Fault]] = {}
NO_USER: Final = {"users.fetch": Fault("no such user", "status", 404, is_declared=True)}
LOST: Final = {"inventory.reserve": Fault("lost", "lost")}
REFUSED: Final = {"users.fetch": Fault("refused", "refused")}
BUSY: Final = {"users.fetch": Fault("busy", "status", 503, retry_after=2, is_once=True)}
ONCE: Final = range(1, 2)
TWICE: Final = range(2, 3)
GRAPH: Final = discover_call_graphs(SHIPPED)["orders"]
DOCUMENT: Final = load_document(SHIPPED)
MISSING: Final = ExpectedFailure(404, "users.fetch", detail="another detail")


@asynccontextmanager
async def run_cell(faults: Mapping[str, Fault]) -> AsyncGenerator[Case]:
    """Run a cell of the orders pipeline that violates no invariant."""
    (sample,) = (sample for sample in SHIPPED.samples if sample.name == "orders")
    cell = Cell(GRAPH.stages[-1], faults)
    async with Gateway.open(SHIPPED, sample, GRAPH) as gateway:
        healthy = await gateway.run(Cell(GRAPH.stages[0], NO_FAULT), {})
        result = await gateway.run(cell, {})
        yield Case(sample, GRAPH, DOCUMENT, healthy, result, expect_result(GRAPH, cell, 201))


def change_response(answer: httpx.Response, **headers: str) -> httpx.Response:
    """Return *answer* with other headers, or with another body (*content*)."""
    content = headers.pop("content", answer.text)
    return httpx.Response(
        answer.status_code,
        headers={**answer.headers, "content-length": str(len(content)), **headers},
        content=content,
    )


def change_expected(change: Callable[[ExpectedResult], ExpectedResult]) -> Callable[[Case], Case]:
    return lambda case: replace(case, expected=change(case.expected))


def change_result(change: Callable[[CellResult], CellResult]) -> Callable[[Case], Case]:
    return lambda case: replace(case, result=change(case.result))


@pytest.mark.parametrize(
    ("faults", "change", "message"),
    [
        (NO_FAULT, change_expected(lambda expected: replace(expected, status=200)), "status: 201, not 200"),
        (
            NO_FAULT,
            change_expected(lambda expected: replace(expected, parts=(MISSING,))),
            "failures: [], not [(404, 'not-found', 'users.fetch', None)]",
        ),
        (
            NO_USER,
            change_expected(lambda expected: replace(expected, parts=(ExpectedFailure(502, "users.fetch"),))),
            "detail: no such user",
        ),
        (
            NO_USER,
            change_expected(lambda expected: replace(expected, parts=(MISSING,))),
            "detail: no such user, not another detail",
        ),
        (
            NO_FAULT,
            change_expected(lambda expected: replace(expected, missing=("users.fetch",))),
            "number of missing parts: 0, not 1",
        ),
        (
            NO_FAULT,
            change_expected(lambda expected: replace(expected, attempts={"users.fetch": ONCE})),
            "calls: ['fraud.screen', 'inventory.check'",
        ),
        (
            NO_FAULT,
            change_expected(lambda expected: replace(expected, writes={"inventory.reserve": "undone"})),
            "undos: [], not ['inventory.release']",
        ),
        (
            NO_FAULT,
            change_expected(lambda expected: replace(expected, writes=None)),
            "record of the execution: True, not False",
        ),
        (
            NO_FAULT,
            change_expected(lambda expected: replace(expected, in_effect=frozenset[str]())),
            "writes in effect: ['inventory.reserve'], not []",
        ),
        (
            NO_FAULT,
            change_expected(
                lambda expected: replace(expected, attempts={**expected.attempts, "users.fetch": TWICE})
            ),
            "users.fetch had 1 attempts, not 2 to 2",
        ),
        (
            REFUSED,
            change_expected(
                lambda expected: replace(expected, attempts={**expected.attempts, "users.fetch": TWICE})
            ),
            "users.fetch had 3 attempts, not 2 to 2",
        ),
        (
            NO_FAULT,
            change_result(lambda result: replace(result, seconds=1.0)),
            "the response took 1.0 s, not 0.0 s plus up to 1.0 s backoff",
        ),
        (
            BUSY,
            change_result(lambda result: replace(result, seconds=1.9)),
            "the response took 1.9 s, not 2.0 s plus up to 1.0 s backoff",
        ),
        (NO_FAULT, change_result(lambda result: replace(result, left=["a task"])), "a task"),
        (
            NO_FAULT,
            change_result(lambda result: replace(result, quantities={})),
            "quantities: {}, not {('inventory', 'stock')",
        ),
        (
            NO_FAULT,
            change_result(
                lambda result: replace(
                    result, received=[*result.received, ReceivedRequest("users.fetch", None)]
                )
            ),
            "calls after the response: users.fetch",
        ),
        (
            NO_FAULT,
            change_result(
                lambda result: replace(
                    result, before_end=[*result.before_end, ReceivedRequest("inventory.reserve", "another")]
                )
            ),
            "inventory.reserve was sent with 2 keys",
        ),
        (
            NO_FAULT,
            change_result(lambda result: replace(result, final=change_response(result.final, content="{}"))),
            '"order_id" is a required',
        ),
        (
            NO_FAULT,
            change_result(lambda result: replace(result, final=change_response(result.final, server="x"))),
            "the header server is not",
        ),
        (
            NO_FAULT,
            change_result(
                lambda result: replace(result, final=change_response(result.final, location=SECRET))
            ),
            "the response contains internals of a service",
        ),
        (
            NO_FAULT,
            change_result(lambda result: replace(result, repeat=result.final)),
            "Idempotent-Replayed: None, not true",
        ),
        (
            LOST,
            change_expected(lambda expected: replace(expected, outlasts=False)),
            "first response is a 202: True, not False",
        ),
        (
            LOST,
            change_expected(lambda expected: replace(expected, writes={"inventory.reserve": "stuck"})),
            "state: undone, not stuck",
        ),
        (
            LOST,
            change_result(lambda result: replace(result, first=change_response(result.first, location="/"))),
            "Location of the 202: /",
        ),
    ],
)
async def test_violated_invariant_is_reported(
    faults: Mapping[str, Fault], change: Callable[[Case], Case], message: str
) -> None:
    async with run_cell(faults) as case:
        found = [*find_violations(change(case))]

        assert not [*find_violations(case)]
        assert any(message in violation for violation in found), found


async def test_open_breaker_after_cell_is_found() -> None:
    (sample,) = (sample for sample in SHIPPED.samples if sample.name == "orders")
    async with Gateway.open(SHIPPED, sample, GRAPH) as gateway:
        before = await gateway.find_open_breakers()
        await asyncio.gather(*(gateway.run(Cell(GRAPH.stages[0], REFUSED), {}) for _ in range(20)))
        after = await gateway.find_open_breakers()

    assert (before, after) == ([], ["user"])


def test_body_of_204_is_reported() -> None:
    document = load_document(COURIER)

    def find(answer: httpx.Response) -> list[str]:
        return [*document.find_violations("PATCH", "/tickets/{ticket_id}", answer)]

    assert not find(httpx.Response(204))
    assert find(httpx.Response(204, json={})) == ["204 is not declared as application/json"]
