"""Cases of the five pipelines."""

import json
from collections.abc import Sequence
from typing import Final

import pytest

from load import checkout, feed, orders, purchases, transfers
from load.case import Case

PIPELINES: Final[dict[str, tuple[Sequence[Case], set[int]]]] = {
    "/checkout": ((*checkout.SUCCESSES, *checkout.FAILURES), {200, 207, 403, 404, 409, 422}),
    "/feed": (feed.CASES, {200, 404}),
    "/orders": (orders.CASES, {201, 207, 404, 409, 422}),
    "/transfers": (transfers.CASES, {201, 403, 404, 409, 422}),
    "/purchases": (purchases.CASES, {201, 401, 403, 409}),
}

every_pipeline = pytest.mark.parametrize("path", PIPELINES)


@every_pipeline
def test_pipeline_cases_have_expected_statuses(path: str) -> None:
    cases, statuses = PIPELINES[path]

    assert {case.status for case in cases} == statuses
    assert all(case.path.startswith(path) for case in cases)


@every_pipeline
def test_titles_of_pipeline_are_unique(path: str) -> None:
    titles = [title for case in PIPELINES[path][0] for title in case.titles]

    assert len(titles) == len(set(titles))


@every_pipeline
def test_problem_body_matches_status_and_path(path: str) -> None:
    problems = [case for case in PIPELINES[path][0] if case.status not in {200, 201}]

    assert [(case.response_body["status"], case.response_body["instance"]) for case in problems] == [
        (case.status, case.path) for case in problems
    ]


def test_stock_level_is_parsed_from_detail() -> None:
    assert orders.parse_stock_level(json.dumps({"detail": "Out of stock: only 61 left"})) == 61
