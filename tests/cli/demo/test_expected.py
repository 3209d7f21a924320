"""Parsing of the gateway's responses."""

from dataclasses import replace

import httpx
import pytest

from gateway.cli.demo.expected import Answer, InvalidAnswer, Problem, Violation, failure, parse_answer
from tests.cli.demo.sample_scenarios import BOTH, UNKNOWN_USER


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (
            httpx.Response(200, json={"user": {}, "total": "67.10"}),
            Answer(200, fields={"user": {}, "total": "67.10"}),
        ),
        (
            httpx.Response(404, json={"status": 404, "code": "not-found", "source": "users.fetch"}),
            failure(UNKNOWN_USER),
        ),
        (
            httpx.Response(
                422,
                json={
                    "status": 422,
                    "code": "invalid",
                    "violations": [{"field": "address", "messages": ["must not be blank"]}],
                },
            ),
            failure(Problem(422, "invalid", violations=(Violation("address"),))),
        ),
        (
            httpx.Response(
                207,
                json={
                    "status": 207,
                    "code": "aggregate",
                    "errors": [
                        {"status": 404, "code": "not-found", "source": "users.fetch"},
                        {"status": 409, "code": "conflict", "source": "inventory.check"},
                    ],
                },
            ),
            BOTH,
        ),
    ],
)
def test_valid_response_is_parsed(response: httpx.Response, answer: Answer) -> None:
    if answer.code:
        response.headers["Content-Type"] = "application/problem+json"

    assert parse_answer(response) == replace(answer, headers=response.headers)


@pytest.mark.parametrize(
    ("media_type", "body", "reason"),
    [
        ("text/plain", "{}", "its media type is text/plain"),
        ("application/json", "<html>", "Invalid JSON: expected value at line 1 column 1"),
        ("application/json", "[]", "Input should be an object"),
        ("application/problem+json", "{}", "status: Field required; code: Field required"),
        (
            "application/problem+json",
            '{"status": "404", "code": "x"}',
            "status: Input should be a valid integer",
        ),
    ],
)
def test_invalid_response_is_reported(media_type: str, body: str, reason: str) -> None:
    response = httpx.Response(404, headers={"Content-Type": media_type}, text=body)

    assert parse_answer(response) == InvalidAnswer(reason, 404)


def test_problem_text_has_source_or_fields() -> None:
    formatted = [
        str(UNKNOWN_USER),
        str(Problem(422, "invalid", violations=(Violation("address"),))),
        str(Problem(400, "malformed")),
    ]

    assert formatted == ["404 not-found users.fetch", "422 invalid address", "400 malformed"]
