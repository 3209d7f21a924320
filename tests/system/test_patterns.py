"""`docs/patterns.md`: its pipelines respond as it shows, and the programs print what it shows."""

import logging
import re
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

import httpx
import pytest

from gateway import create_app
from tests.integration.in_process import InProcessServices
from tests.system.patterns_page import (
    BLOCKS,
    CODE,
    EXPLANATIONS,
    MISTAKES,
    NAME,
    REQUESTS,
    Block,
    Explanation,
    ShownRequest,
    build_route,
    list_functions,
    list_pipelines,
    load_module,
)
from tests.system.programs import Program, ProgramResult
from tests.system.type_checkers import CHECKERS, check, select_output, write_modules

PATHS: Final = {
    "users.fetch": ("user", "/users"),
    "users.settings": ("user", "/users/user-123/settings"),
    "social.friends": ("social", "/friends"),
}
"""Service and path of each call that fails on the page."""

APP: Final = """\
import {page}
from gateway import Route, create_app

app = create_app(pipelines=[Route("{route.method}", "{route.path}", {page}.{name})])
"""

BETTER: Final = {
    "slow_profile": "profile",
    "gathered_calls": "profile",
    "pyramid": "posts",
    "slow_basket": "basket",
    "slow_news": "news",
    "staged_pair": "pair",
    "caught": "friends_if_known",
}
"""Better code for each mistake that can be served."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the module of the page."""
    folder = tmp_path_factory.mktemp("patterns")
    write_modules(folder, {NAME: CODE})
    return folder


@pytest.fixture
def module(tmp_path: Path) -> Iterator[ModuleType]:
    yield load_module(tmp_path)
    del sys.modules[NAME]


@asynccontextmanager
async def serve(
    module: ModuleType, name: str, fault: tuple[str, int] | None
) -> AsyncGenerator[httpx.AsyncClient]:
    """Serve the pipeline *name* in front of the mock services, one call of which has a *fault*."""
    services = InProcessServices()
    if fault is not None:
        service, path = PATHS[fault[0]]
        await services.set_faults(service, (path, "status"), status=fault[1])
    app = create_app(pipelines=[build_route(list_pipelines(module)[name])], transport=services)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client,
    ):
        yield client


async def send(module: ModuleType, request: ShownRequest) -> httpx.Response:
    headers = {"X-Request-Id": "req-1", "Content-Type": "application/json"}
    async with serve(module, request.pipeline, request.fault) as client:
        return await client.request(request.method, request.path, content=request.body, headers=headers)


async def send_example(module: ModuleType, name: str) -> httpx.Response:
    """Send a request with the examples of the pipeline's parameters."""
    route = build_route(list_pipelines(module)[name])
    path = route.path.format(user_id="user-123", product_id="prod-456")
    async with serve(module, name, None) as client:
        body = {"product_ids": ["prod-456", "prod-expensive"]} if route.methods == ("POST",) else None
        return await client.request(route.methods[0], path, json=body)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.title)
async def test_pipeline_responds_as_shown(
    module: ModuleType, request_: ShownRequest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    response = await send(module, request_)

    shown, received = request_.response, response.json()
    if isinstance(shown, dict):
        received = {member: received[member] for member in shown}
    is_complete = request_.status == 200 and not request_.is_incomplete
    assert (response.status_code, received) == (request_.status, shown)
    assert response.headers["gateway-completed"] == ("true" if is_complete else "false")
    logged = [f"{record.levelname} {record.name}: {record.getMessage()}" for record in caplog.records]
    assert [line for line in request_.logged if line not in logged] == [], logged


async def test_dry_run_logs_too(module: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serve(module, "logged", None):
        pass

    assert "user-123 has 2 friends (request None)" in caplog.messages


async def test_caught_exit_of_run_is_500_without_notice(tmp_path: Path) -> None:
    try:
        module = load_module(tmp_path, CODE.replace("except Exception:", "except BaseException:"))
        (request,) = (request for request in REQUESTS if request.pipeline == "caught")
        response, healthy = await send(module, request), await send_example(module, "caught")
    finally:
        del sys.modules[NAME]

    assert (response.status_code, healthy.status_code) == (500, 200)


@pytest.mark.parametrize(("mistake", "better"), BETTER.items())
async def test_better_code_gives_same_response(module: ModuleType, mistake: str, better: str) -> None:
    wrong, right = await send_example(module, mistake), await send_example(module, better)

    assert (wrong.status_code, wrong.json()) == (right.status_code, right.json())
    assert right.status_code == 200


def explain(folder: Path, module: ModuleType, shown: Explanation) -> ProgramResult:
    """Run `gateway explain` on a pipeline, the only one of its app."""
    name = shown.pipeline
    route = build_route(list_pipelines(module)[name])
    (folder / f"app_{name}.py").write_text(APP.format(page=NAME, route=route, name=name))
    arguments = (name, "--app", f"app_{name}:app", "--latency-default", "40", *shown.options)
    with Program("gateway", "explain", *arguments, environment={"COLUMNS": "80"}, folder=folder) as program:
        return program.wait()


@pytest.mark.parametrize("shown", EXPLANATIONS, ids=lambda shown: shown.title)
def test_explain_prints_shown_line(tmp_path: Path, module: ModuleType, shown: Explanation) -> None:
    result = explain(tmp_path, module, shown)

    printed = re.sub(r"gateway: cannot load app .*?: (GET|POST) \S+: ", "", result.err) + result.out
    assert any(line.strip().startswith(shown.line) for line in printed.splitlines()), printed
    assert result.code == (2 if "breaks a rule" in shown.line else 0)


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("name", list_functions())
def test_checker_prints_shown_message(folder: Path, checker: str, name: str) -> None:
    """Only the first function of a block is a mistake for the checkers, if the block shows a message."""
    (block,) = (block for block in BLOCKS if name in list_functions(block.code))
    messages = [line.removeprefix(f"{checker}: ") for line in block.shown if line.startswith(f"{checker}: ")]
    is_first = next(iter(list_functions(block.code))) == name
    expected = [message for message in messages if is_first and message != "nothing"]
    output = select_output(check(checker, folder), NAME, list_functions()[name])

    assert [message for message in expected if message not in output] == [], output
    assert expected or output == ""


@pytest.mark.parametrize("checker", CHECKERS)
def test_checker_accepts_page_outside_functions(folder: Path, checker: str) -> None:
    functions = {number for lines in list_functions().values() for number in lines}
    outside = [number for number in range(1, CODE.count("\n") + 2) if number not in functions]
    found = [select_output(check(checker, folder), NAME, range(number, number + 1)) for number in outside]

    assert [output for output in found if output] == []


@pytest.mark.parametrize("block", BLOCKS[1:], ids=lambda block: next(iter(list_functions(block.code))))
def test_block_of_page_is_covered(module: ModuleType, block: Block) -> None:
    requested = {request.pipeline for request in REQUESTS}
    explained = {shown.pipeline for shown in EXPLANATIONS}

    pipelines = list_functions(block.code).keys() & list_pipelines(module).keys()
    assert pipelines
    assert pipelines <= requested | explained


@pytest.mark.parametrize("block", MISTAKES, ids=lambda block: next(iter(list_functions(block.code))))
def test_programs_are_quoted_on_mistake(block: Block) -> None:
    programs = {re.split(r"[ :]", line, maxsplit=1)[0] for line in block.shown}

    assert programs >= {"mypy", "pyright", "gateway"}


def test_every_shown_line_is_tested() -> None:
    lines = [line for block in BLOCKS for line in block.shown]
    others = [line for line in lines if re.match(r"(mypy|pyright|log): ", line)]

    assert len(lines) == len(REQUESTS) + len(EXPLANATIONS) + len(others)
    assert len(others) == 2 * len(MISTAKES) + sum(len(request.logged) for request in REQUESTS)
