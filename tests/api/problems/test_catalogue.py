"""What problems mean."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import httpx
import pytest

import gateway.api
from gateway.api.problems.catalogue import CATALOGUE
from gateway.railway import Failure


def codes_in_the_source() -> Iterator[str]:
    """Find every code that a refusal is made with."""
    (root,) = gateway.api.__path__
    for path in Path(root).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                yield str(node.value.value)


def test_every_code_that_can_be_sent_is_explained() -> None:
    refusals = {*codes_in_the_source()}
    failures = {kind.code for kind in get_args(Failure)}

    assert len(refusals) > 4
    assert refusals | failures <= CATALOGUE.keys()


@pytest.mark.parametrize("code", CATALOGUE)
async def test_a_problem_type_explains_itself(client: httpx.AsyncClient, code: str) -> None:
    answer = await client.get(f"/problems/{code}")

    kind = answer.json()
    assert answer.status_code == 200
    assert kind.keys() == {"type", "title", "status", "code", "explanation"}
    assert kind["type"] == f"/problems/{code}"
    assert kind["status"] == CATALOGUE[code].status
    assert kind["explanation"].endswith(".")
    assert "\n" not in kind["explanation"]


async def test_an_unknown_problem_is_404(client: httpx.AsyncClient) -> None:
    answer = await client.get("/problems/nothing")

    assert answer.status_code == 404
    assert answer.json()["code"] == "not-found"
