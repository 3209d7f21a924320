"""How the demo plays a scenario."""

from collections.abc import Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.cli.demo.mocks import Mocks
from gateway.cli.demo.outcome import Difference, Outcome
from gateway.cli.demo.runner import MakeApp, Runner
from gateway.observability.trace import Trace
from gateway.settings import SERVICES, Settings
from tests.cli.demo.sample_scenarios import BUY


def gateway(respond: Callable[[], Response]) -> MakeApp:
    """Stand in for the gateway's app: it answers what *respond* gives, and tells nobody what it did."""

    async def endpoint(_: Request) -> Response:
        return respond()

    def make_app(_: Settings, __: httpx.AsyncBaseTransport, ___: Callable[[str, Trace], None]) -> Starlette:
        return Starlette(routes=[Route("/shop", endpoint, methods=["POST"])])

    return make_app


async def played(make_app: MakeApp) -> Outcome:
    """Play with services that remember nothing."""
    urls = {service: f"http://{service}" for service in SERVICES}
    async with httpx.MockTransport(lambda _: httpx.Response(200, json={})) as transport:
        return await Runner(Mocks(urls, transport), "http://nowhere", transport, make_app).play(BUY)


def fail() -> Response:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("respond", "came"),
    [
        (fail, "the gateway raised ZeroDivisionError()"),
        (lambda: JSONResponse([]), "200, but Input should be an object"),
        (lambda: Response("{", media_type="application/problem+json"), "200, but Invalid JSON: "),
    ],
)
async def test_a_gateway_that_breaks_or_talks_nonsense_is_reported(
    respond: Callable[[], Response], came: str
) -> None:
    answer, record = (await played(gateway(respond))).differences

    assert str(answer.came).startswith(came)
    assert record == Difference("record of the calls", "one", None)


async def test_a_gateway_that_does_not_tell_what_it_did_is_reported() -> None:
    outcome = await played(
        gateway(lambda: JSONResponse({"total": "67.10"}, headers={"Gateway-Completed": "true"}))
    )

    assert outcome.differences == [Difference("record of the calls", "one", None)]
