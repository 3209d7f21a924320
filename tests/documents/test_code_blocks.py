"""Python blocks of all pages, executed in order, in one namespace for each page.

The namespace has the public names of the gateway, those of `FREQUENT`, and those of the module `<page>_names`
beside this one, which stand for what a page does not show.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from inspect import get_annotations, isawaitable, isclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Annotated, Any, Final, TypeAlias, cast

import httpx
import pytest
from fastapi import Depends, Header, Query, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

import gateway
from gateway import Gateway, Route, Service, ServiceClient, create_app, railway
from gateway.pipelines import PIPELINES
from gateway.railway import Ok
from gateway.services import SERVICES
from tests.documents.pages import PAGES, TUTORIAL, Block, list_blocks

FREQUENT: Final[Mapping[str, object]] = {
    "Annotated": Annotated,
    "BaseModel": BaseModel,
    "Depends": Depends,
    "Field": Field,
    "HTTPAuthorizationCredentials": HTTPAuthorizationCredentials,
    "HTTPBearer": HTTPBearer,
    "Header": Header,
    "PIPELINES": PIPELINES,
    "Query": Query,
    "Response": Response,
    "SERVICES": SERVICES,
    "TypeAlias": TypeAlias,
}
EXECUTED_ELSEWHERE: Final[Mapping[str, str]] = {
    TUTORIAL: "tests/system/test_tutorial.py follows it",
    "docs/patterns.md": "tests/system/test_patterns.py compares what the page says of each pipeline",
    "docs/type-errors.md": "tests/system/test_type_errors.py compares the messages about its mistakes",
}
LANGUAGES: Final = {"mermaid", "python", "sh", "text", "toml"}
PYTHON_BLOCKS: Final[Mapping[str, list[Block]]] = {
    page: [block for block in list_blocks(page) if block.language == "python"] for page in PAGES
}
EXECUTED: Final = [page for page, found in PYTHON_BLOCKS.items() if found and page not in EXECUTED_ELSEWHERE]


class Executed:
    """Result of a page's blocks: the names that they define, and the values of their expressions."""

    def __init__(self, page: str) -> None:
        self.given: Final = {**list_public_names(), **FREQUENT, **list_names_of_page(page)}
        module = sys.modules[page] = ModuleType(page)  # annotations are evaluated in the module of a function
        self.names: Final[dict[str, Any]] = vars(module)
        self.names.update(self.given, __name__=page)
        self.values: list[object] = []

    async def execute(self, code: CodeType) -> None:
        """Execute the code of a block, which may await."""
        result = eval(code, self.names)  # noqa: S307 - the code of our own pages
        if isawaitable(result):
            await result

    def defined(self) -> Iterator[object]:
        """Yield the values that the blocks have defined."""
        return (value for name, value in self.names.items() if value is not self.given.get(name))


def list_public_names() -> Mapping[str, object]:
    return {name: getattr(module, name) for module in (railway, gateway) for name in module.__all__}


def list_names_of_page(page: str) -> Mapping[str, object]:
    module = f"{__package__}.{Path(page).stem.lower().replace('-', '_')}_names"
    return vars(import_module(module)) if find_spec(module) else {}


def compile_block(page: str, block: Block) -> CodeType:
    """Compile *block*, which may await, so that it appends the value of each expression to `values`."""
    tree = ast.parse(block.text)
    for statement in tree.body:
        if isinstance(statement, ast.Expr):
            statement.value = ast.Call(
                ast.Name("record_value", ast.Load()), args=[statement.value], keywords=[]
            )
    ast.increment_lineno(tree, block.line - 1)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code: CodeType = compile(ast.fix_missing_locations(tree), page, "exec", flags=flags, dont_inherit=True)
    return code


async def execute_page(page: str) -> Executed:
    executed = Executed(page)
    executed.names["record_value"] = executed.values.append
    for block in PYTHON_BLOCKS[page]:
        await executed.execute(compile_block(page, block))
    return executed


def list_services(executed: Executed) -> Iterator[Service[object]]:
    """Yield the registrations on the page, and a registration for each class of a service."""
    for value in executed.values:
        if isinstance(value, Service):
            yield cast("Service[object]", value)
    for value in executed.defined():
        if isclass(value) and ServiceClient in get_annotations(value.__init__).values():
            yield Service("example", value, url="http://example.test")


def refuse(request: httpx.Request) -> httpx.Response:
    pytest.fail(f"a block sends a request: {request.url}")


@pytest.mark.parametrize("page", EXECUTED)
async def test_blocks_of_page_run(page: str) -> None:
    executed = await execute_page(page)

    apps = [value for value in executed.defined() if isinstance(value, Gateway)]
    assert [warning for app in apps for warning in app.warnings] == []


@pytest.mark.parametrize("page", EXECUTED)
async def test_routes_of_page_can_be_registered(page: str) -> None:
    executed = await execute_page(page)
    routes = [value for value in executed.values if isinstance(value, Route)]
    services: list[Service[object]] = executed.names.get("SERVICES_OF_PAGE", [])

    app = create_app(services=services, pipelines=routes, transport=httpx.MockTransport(refuse))
    assert [*app.warnings] == []


@pytest.mark.parametrize("page", EXECUTED)
async def test_services_of_page_can_be_connected(page: str) -> None:
    executed = await execute_page(page)

    for service in list_services(executed):
        transport = httpx.MockTransport(refuse)
        service.connect(transport, url=service.url, timeout=1.0, max_concurrency=1)


async def test_map_operations_send_documented_requests() -> None:
    page = (await execute_page("docs/services.md")).names
    sent: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json=[] if request.method == "GET" else {"profile": "bicycle"})

    service = Service("maps", page["Maps"], url="http://maps.test")
    transport = httpx.MockTransport(handle)
    maps = service.connect(transport, url=service.url, timeout=1.0, max_concurrency=1).instance
    found = await page["Maps"].search(maps, "main street", [page["Kind"].CAFE, page["Kind"].PARK])
    way = await page["Maps"].route(maps, "bicycle", ["a", "b"])

    assert found == Ok([])
    assert way == Ok(page["Way"](profile="bicycle"))
    assert [(request.method, request.url.raw_path) for request in sent] == [
        ("GET", b"/v1/search?q=main%20street&kind=cafe&kind=park&limit=10"),
        ("POST", b"/v1/profiles/bicycle/routes"),
    ]
    assert sent[0].headers["accept-language"] == "en"


@pytest.mark.parametrize(
    ("body", "text"),
    [({"detail": "no"}, "no"), ({"error": {"message": "no"}}, "no"), ({"detail": 7}, None), ([], None)],
)
async def test_documented_reader_reads_common_errors(body: object, text: str | None) -> None:
    page = await execute_page("docs/services.md")

    assert page.names["read_error"](body) == text


def test_every_python_block_is_executed() -> None:
    fences = {page: len(re.findall(r"^ *(?:```|~~~)py", text, re.MULTILINE)) for page, text in PAGES.items()}

    executed = {page: len(found) for page, found in PYTHON_BLOCKS.items()}
    assert fences == executed
    assert {page for page, count in fences.items() if count} == {*EXECUTED, *EXECUTED_ELSEWHERE}


def test_every_block_names_its_language() -> None:
    blocks = {(page, block.line, block.language) for page in PAGES for block in list_blocks(page)}

    assert {block for block in blocks if block[2] not in LANGUAGES} == set()
    assert {"docs/services.md", "docs/routes.md", "docs/errors.md", "README.md"} <= {*EXECUTED}
