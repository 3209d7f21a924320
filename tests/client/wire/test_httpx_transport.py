"""httpx's own transport, as `GATEWAY_TRANSPORT=httpx` uses it."""

import httpx
import pytest
import respx

from gateway.app import create_app
from gateway.client.transport import create_httpx_transport
from gateway.railway import Err, Ok, TimedOut, Unavailable
from gateway.services import SERVICES
from gateway.services.users import User, Users
from gateway.settings import InvalidSettingsError, load_settings
from tests.client.wire.test_transport import ADA, ANSWER, Outcome, answer_all, serve
from tests.http1.raw_server import hang, respond_with
from tests.service_clients import service_client


async def fetch_user(url: str, timeout: float = 2.0) -> Outcome:  # noqa: ASYNC109 - the client's timeout
    async with create_httpx_transport() as transport:
        return await Users(service_client("users", url, transport, timeout=timeout)).fetch("ada")


async def test_response_is_read() -> None:
    async with serve(answer_all) as url:
        assert await fetch_user(url) == Ok(User.model_validate_json(ADA))


async def test_failures_become_upstream_faults() -> None:
    async with serve(hang) as url:
        late = await fetch_user(url, 0.05)
    refused = await fetch_user(url)
    async with serve(respond_with(ANSWER[:-5])) as url:
        cut = await fetch_user(url)

    assert isinstance(late, Err)
    assert isinstance(late.error, TimedOut)
    for result in (refused, cut):
        assert isinstance(result, Err)
        assert isinstance(result.error, Unavailable)


async def test_plain_respx_intercepts_its_requests() -> None:
    with respx.mock:
        route = respx.get("http://users.test/users/ada").respond(content=ADA)
        result = await fetch_user("http://users.test")

    assert result == Ok(User.model_validate_json(ADA))
    assert route.called


async def test_plain_respx_intercepts_requests_of_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/routes.md says: plain `respx.mock` works with `GATEWAY_TRANSPORT=httpx`."""
    monkeypatch.setenv("GATEWAY_TRANSPORT", "httpx")
    app = create_app()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client,
    ):
        with respx.mock(assert_all_called=False) as router:
            route = router.route(host="127.0.0.1").respond(503)
            response = await client.get("/feed/user-123")

    assert response.status_code == 503
    assert route.called


def test_unknown_transport_is_refused() -> None:
    with pytest.raises(InvalidSettingsError, match="expected http1 or httpx"):
        load_settings(SERVICES, transport="aiohttp")
