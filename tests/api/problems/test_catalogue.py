"""Catalogue of the problem types."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import httpx
import pytest

import gateway.api
from gateway.api.problems.catalogue import CATALOGUE
from gateway.railway import Failure


def find_refusal_codes() -> Iterator[str]:
    """Yield the `code=` arguments in the source of `gateway.api`."""
    (root,) = gateway.api.__path__
    for path in Path(root).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                yield str(node.value.value)


def test_catalogue_explains_every_code() -> None:
    refusals = {*find_refusal_codes()}
    failures = {kind.code for kind in get_args(Failure)}

    assert len(refusals) > 4
    assert refusals | failures <= CATALOGUE.keys()


@pytest.mark.parametrize("code", CATALOGUE)
async def test_problem_type_url_is_served(client: httpx.AsyncClient, code: str) -> None:
    response = await client.get(f"/problems/{code}")

    problem_type = response.json()
    assert response.status_code == 200
    assert problem_type.keys() == {"type", "title", "status", "code", "explanation"}
    assert problem_type["type"] == f"/problems/{code}"
    assert problem_type["status"] == CATALOGUE[code].status
    assert problem_type["explanation"].endswith(".")
    assert "\n" not in problem_type["explanation"]


async def test_unknown_problem_type_is_404(client: httpx.AsyncClient) -> None:
    response = await client.get("/problems/nothing")

    assert response.status_code == 404
    assert response.json()["code"] == "not-found"
