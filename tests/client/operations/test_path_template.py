"""Path templates: their declaration, and the encoding of parameters."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.client.operations.path_template import PathTemplate
from gateway.client.url import BaseUrl
from tests.client.scripted_service import THING, Answering, client

BASE_URL = BaseUrl("http://things.test/api")

sendable = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


def fill(template: str, values: Mapping[str, Any]) -> str:
    return PathTemplate("things.fetch", template).fill(values)


@given(sendable.filter(lambda text: text not in {"", ".", ".."}))
@example("a/b")
@example("%2e%2e")
@example("é 用户")
@example("+;=@:&?#\r\n\x00")
def test_any_text_is_one_path_segment(text: str) -> None:
    target = BASE_URL.join(fill("/things/{name}", {"name": text}))
    path = target.decode("ascii")

    assert httpx.URL(f"http://things.test{path}").raw_path == target
    assert [unquote(segment, errors="strict") for segment in path.split("/")] == ["", "api", "things", text]


@pytest.mark.parametrize(
    ("template", "values", "path"),
    [
        ("/", {}, "/"),
        ("/things/", {}, "/things/"),
        ("/a%20b/c:sum", {}, "/a%20b/c:sum"),
        ("/things/{name}", {"name": "lamp"}, "/things/lamp"),
        ("/{a}/x/{b}/", {"b": 2, "a": 1}, "/1/x/2/"),
        ("/things/{name}.json", {"name": "lamp"}, "/things/lamp.json"),
        ("/{year}-{month}", {"year": 2026, "month": 1}, "/2026-1"),
        ("/{self}/{body}", {"self": "a", "body": "b"}, "/a/b"),
    ],
)
def test_template_is_filled_with_parameters(template: str, values: dict[str, Any], path: str) -> None:
    assert fill(template, values) == path


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_unsafe_path_segment_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"a path segment must not be empty, '.' or '..', got name="):
        fill("/things/{name}", {"name": value})


def test_path_parameter_must_not_be_none() -> None:
    with pytest.raises(TypeError, match=r"^things\.fetch: name is part of the path, and must not be None$"):
        fill("/things/{name}", {"name": None})


def test_path_parameter_of_other_type_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^things\.fetch: name: a value of type list cannot be sent as text"):
        fill("/things/{name}", {"name": ["a"]})


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("things", "it must begin with '/'"),
        ("", "it must begin with '/'"),
        ("/things?size=3", "expected a path with parameters such as {user_id}, without query"),
        ("/things#top", "expected a path with parameters"),
        ("/a b", "expected a path with parameters"),
        ("/100%", "expected a path with parameters"),
        ("/things/{name", "expected a path with parameters"),
        ("/things/name}", "expected a path with parameters"),
        ("/things/{{name}}", "expected a path with parameters"),
        ("//things", "a path segment must not be empty, '.' or '..'"),
        ("/a//b", "a path segment must not be empty, '.' or '..'"),
        ("/a/../b", "a path segment must not be empty, '.' or '..'"),
        ("/a/.{name}", "a path segment must not be empty, '.' or '..'"),
        ("/{a}{b}", "two parameters need a character between them"),
        ("/things/{}", "{} is no name of a parameter"),
        ("/things/{na-me}", "{na-me} is no name of a parameter"),
        ("/{query}", "the name {query} is reserved for an argument of every operation"),
        ("/{form}", "the name {form} is reserved"),
        ("/{headers}", "the name {headers} is reserved"),
        ("/{fits}", "the name {fits} is reserved"),
        ("/{name}/{name}", "{name} is repeated"),
    ],
)
def test_invalid_template_is_refused_at_declaration(template: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^things\.fetch: invalid path ") as refused:
        client(Answering()).get("things.fetch", template, answer=THING)

    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("values", "given_names"),
    [({}, "no parameters"), ({"id": "1"}, "id"), ({"name": "a", "size": 1}, "name, size")],
)
def test_wrong_path_parameters_are_a_type_error(values: dict[str, Any], given_names: str) -> None:
    fetch = client(Answering()).get("things.fetch", "/things/{name}", answer=THING)

    with pytest.raises(TypeError) as refused:
        _ = fetch(**values)
    assert str(refused.value) == (f"things.fetch takes name for its path /things/{{name}}, got {given_names}")
