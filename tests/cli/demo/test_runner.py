"""The demo's runner, with gateways that crash, send invalid responses or report no trace."""

from collections.abc import Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.cli.demo.mocks import Mocks
from gateway.cli.demo.outcome import Difference, Outcome
from gateway.cli.demo.runner import CreateApp, Runner
from gateway.observability.trace import Trace
from gateway.settings import Settings
from tests.cli.demo.sample_scenarios import BUY
from tests.shipped_services import NAMES as SERVICES


def fake_create_app(respond: Callable[[], Response]) -> CreateApp:
    """Build a stand-in for `create_app` whose app sends the result of *respond* and reports no trace."""

    async def endpoint(_: Request) -> Response:
        return respond()

    def create_app(
        settings: Settings,  # noqa: ARG001
        *,
        transport: httpx.AsyncBaseTransport,  # noqa: ARG001
        on_trace: Callable[[str, Trace], None],  # noqa: ARG001
    ) -> Starlette:
        return Starlette(routes=[Route("/shop", endpoint, methods=["POST"])])

    return create_app


async def play(create_app: CreateApp) -> Outcome:
    """Play `BUY` with mock services that have no state."""
    urls = {service: f"http://{service}" for service in SERVICES}
    async with httpx.MockTransport(lambda _: httpx.Response(200, json={})) as transport:
        return await Runner(Mocks(urls, transport), "http://nowhere", transport, create_app).play(BUY)


def fail() -> Response:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("respond", "actual"),
    [
        (fail, "the gateway raised ZeroDivisionError()"),
        (lambda: JSONResponse([]), "200, but Input should be an object"),
        (lambda: Response("{", media_type="application/problem+json"), "200, but Invalid JSON: "),
    ],
)
async def test_runner_reports_crash_or_invalid_response(respond: Callable[[], Response], actual: str) -> None:
    answer, record = (await play(fake_create_app(respond))).differences

    assert str(answer.actual).startswith(actual)
    assert record == Difference("record of the calls", "a record", None)


async def test_runner_reports_missing_trace() -> None:
    outcome = await play(
        fake_create_app(lambda: JSONResponse({"total": "67.10"}, headers={"Gateway-Completed": "true"}))
    )

    assert outcome.differences == [Difference("record of the calls", "a record", None)]
