"""A custom gateway, with its own services and pipelines instead of the sample's."""

import re
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest
import pytest_asyncio
from pydantic import Field
from typing_extensions import override

from gateway import (
    Gateway,
    Id,
    RequestBody,
    ResponseBody,
    Route,
    Service,
    ServiceClient,
    UpstreamResponse,
    create_app,
    example,
    load_settings,
)
from gateway.pipelines import PIPELINES
from gateway.railway import Aggregate, Call, NotFound, Run, UpstreamFault, railway
from gateway.services import SERVICES

SAMPLE: Final = re.compile(
    r"checkout|inventory|payment|fraud|shipping|pricing|transfer|purchase|\bfeed|analytics|prod-|user-1|acc-0"
)
"""Words that only the sample contains."""


class Points(UpstreamResponse):
    model_config = example(member_id="m-1", balance=12)

    member_id: str
    balance: int


class Loyalty:
    def __init__(self, client: ServiceClient) -> None:
        self._points = client.get(
            "loyalty.points", "/points/{member_id}", answer=Points, declared={404: NotFound}
        )

    def points(self, member_id: str) -> Call[Points, NotFound | UpstreamFault]:
        return self._points(member_id=member_id)


class Rival:
    def __init__(self, client: ServiceClient) -> None:
        self.name = client.name


class Question(RequestBody):
    member_id: Id = Field(examples=["m-1"])


class Answer(ResponseBody):
    balance: int


@railway
async def balance(
    run: Run[NotFound | UpstreamFault | Aggregate], question: Question, loyalty: Loyalty
) -> Answer:
    """Look up the points of a member."""
    (points,) = await run.stage("look-up", loyalty.points(question.member_id))
    return Answer(balance=points.balance)


LOYALTY: Final = Service("loyalty", Loyalty, url="http://127.0.0.1:8201", timeout_ms=300)
BALANCE: Final = Route("POST", "/balances", balance)


class FakeNetwork(httpx.AsyncBaseTransport):
    """Transport that responds as the loyalty service, and records the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.times_closed = 0

    @override
    async def aclose(self) -> None:
        self.times_closed += 1

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200, json={"member_id": "m-1", "balance": 12})


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork()


@pytest.fixture
def app(network: FakeNetwork) -> Gateway:
    return create_app(
        services=[LOYALTY],
        pipelines=[BALANCE],
        name="loyalty-gateway",
        title="Loyalty",
        version="2.1",
        transport=network,
    )


@pytest_asyncio.fixture
async def client(app: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client


async def test_custom_pipeline_calls_custom_service(client: httpx.AsyncClient, network: FakeNetwork) -> None:
    response = await client.post("/balances", json={"member_id": "m-1"})

    assert (response.status_code, response.json()) == (200, {"balance": 12})
    (request,) = network.requests
    assert str(request.url) == "http://127.0.0.1:8201/points/m-1"
    assert request.headers["user-agent"] == "loyalty-gateway/2.1"


async def test_each_service_has_its_own_transport() -> None:
    networks = {"loyalty": FakeNetwork(), "rival": FakeNetwork()}
    rival = Service("rival", Rival, url="http://127.0.0.1:8202")
    app = create_app(services=[rival, LOYALTY], pipelines=[BALANCE], transport=networks)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        await client.post("/balances", json={"member_id": "m-1"})
    assert {name: len(network.requests) for name, network in networks.items()} == {"loyalty": 1, "rival": 0}


async def test_transport_of_two_services_is_closed_once(network: FakeNetwork) -> None:
    rival = Service("rival", Rival, url="http://127.0.0.1:8202")
    transports = {"loyalty": network, "rival": network}
    app = create_app(services=[LOYALTY, rival], pipelines=[BALANCE], transport=transports)

    async with app.router.lifespan_context(app):
        assert network.times_closed == 0
    assert network.times_closed == 1


def test_service_without_transport_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^no transport for service 'loyalty': the mapping "):
        create_app(services=[LOYALTY], pipelines=[BALANCE], transport={})


def test_transport_of_unknown_service_is_refused(network: FakeNetwork) -> None:
    transports = {"loyalty": network, "loyality": network}

    with pytest.raises(ValueError, match=r"unknown service 'loyality'; the services are loyalty$"):
        create_app(services=[LOYALTY], pipelines=[BALANCE], transport=transports)


async def test_service_token_comes_from_settings(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_LOYALTY_TOKEN", "s3cret")
    app = create_app(services=[LOYALTY], pipelines=[BALANCE], transport=network)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        await client.post("/balances", json={"member_id": "m-1"})

    assert network.requests[0].headers["authorization"] == "Bearer s3cret"


async def test_service_url_comes_from_settings(network: FakeNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_LOYALTY_URL", "http://loyalty.test/v2")
    app = create_app(services=[LOYALTY], pipelines=[BALANCE], transport=network)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        await client.post("/balances", json={"member_id": "m-1"})

    assert str(network.requests[0].url) == "http://loyalty.test/v2/points/m-1"


def test_warnings_name_incompletely_documented_routes(network: FakeNetwork) -> None:
    @railway
    async def balances(run: Run[NotFound], member_id: str) -> str:
        """Look up a member whose id has no example."""
        return member_id if run.execution_id else ""

    route = Route("GET", "/balances/{member_id}", balances)
    app = create_app(services=[LOYALTY], pipelines=[BALANCE, route], transport=network)

    (warning,) = app.warnings
    assert warning.startswith("GET /balances/{member_id}: the documentation is incomplete, because ")


async def test_readiness_lists_custom_services_only(client: httpx.AsyncClient) -> None:
    assert [*(await client.get("/health/ready")).json()["checks"]] == ["loyalty"]


async def test_pipelines_endpoint_omits_sample(client: httpx.AsyncClient) -> None:
    (pipeline,) = (await client.get("/pipelines")).json()["pipelines"]

    assert (pipeline["name"], pipeline["method"], pipeline["path"]) == ("balance", "POST", "/balances")


@pytest.mark.parametrize("route", PIPELINES, ids=str)
async def test_sample_routes_are_404_in_custom_gateway(client: httpx.AsyncClient, route: Route) -> None:
    response = await client.request(route.methods[0], route.path.replace("{user_id}", "user-123"), json={})

    assert (response.status_code, response.json()["code"]) == (404, "route-not-found")


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/pipelines", "/health/ready"])
async def test_custom_gateway_pages_omit_the_sample(client: httpx.AsyncClient, path: str) -> None:
    assert SAMPLE.findall((await client.get(path)).text) == []


async def test_problem_types_omit_the_sample(client: httpx.AsyncClient) -> None:
    code = (await client.get("/openapi.json")).json()["paths"]["/problems/{code}"]["get"]["responses"]["200"]
    assert code
    for response in [
        await client.get(f"/problems/{code}") for code in ("conflict", "forbidden", "not-found")
    ]:
        assert SAMPLE.findall(response.text) == []


def test_openapi_has_custom_title_and_version(app: Gateway) -> None:
    assert (app.openapi()["info"]["title"], app.openapi()["info"]["version"]) == ("Loyalty", "2.1")


def test_title_defaults_to_gateway_name(network: FakeNetwork) -> None:
    app = create_app(services=[], pipelines=[], name="empty", transport=network)

    assert app.openapi()["info"]["title"] == "empty"


def test_settings_without_registered_service_are_refused(network: FakeNetwork) -> None:
    with pytest.raises(ValueError, match="no settings for service 'loyalty'"):
        create_app(load_settings(SERVICES), services=[LOYALTY], pipelines=[BALANCE], transport=network)


@pytest.mark.parametrize("name", ["", "two words", "a/b"])
def test_gateway_name_must_be_an_http_token(network: FakeNetwork, name: str) -> None:
    with pytest.raises(ValueError, match=f"invalid name '{name}'"):
        create_app(name=name, transport=network)


def test_create_app_refuses_duplicate_service_name(network: FakeNetwork) -> None:
    settings = load_settings([LOYALTY])

    with pytest.raises(ValueError, match="two services are named 'loyalty'"):
        create_app(settings, services=[LOYALTY, LOYALTY], pipelines=[], transport=network)


class Mistaken(Loyalty):
    @override
    def points(self, member_id: str) -> Call[Points, NotFound | UpstreamFault]:
        return self._points(user_id=member_id)


def test_wrong_path_parameter_is_found_when_app_is_made(network: FakeNetwork) -> None:
    service = Service("loyalty", Mistaken, url="http://127.0.0.1:8201")
    pipeline = Route("POST", "/balances", mistaken)
    message = r"TypeError: loyalty\.points takes member_id for its path /points/\{member_id\}, got user_id\n"

    with pytest.raises(TypeError, match=message):
        create_app(services=[service], pipelines=[pipeline], transport=network)


@railway
async def mistaken(
    run: Run[NotFound | UpstreamFault | Aggregate], question: Question, loyalty: Mistaken
) -> Answer:
    """Look up the points of a member with a wrong path parameter."""
    (points,) = await run.stage("look-up", loyalty.points(question.member_id))
    return Answer(balance=points.balance)


class Refunds:
    def __init__(self, client: ServiceClient) -> None:
        client.undo.delete("refunds.cancel", "/refunds/{key}")


def test_create_app_refuses_duplicate_undo_name(network: FakeNetwork) -> None:
    services = [Service(name, Refunds, url="http://127.0.0.1:8202") for name in ("east", "west")]

    with pytest.raises(ValueError, match=r"'east' and 'west' both have an undo named 'refunds\.cancel'"):
        create_app(services=services, pipelines=[], transport=network)


def test_app_warns_of_ineffective_settings(network: FakeNetwork) -> None:
    settings = load_settings([LOYALTY], deadline_ms=200)
    app = create_app(settings, services=[LOYALTY], pipelines=[BALANCE], transport=network)

    assert [warning.partition(";")[0] for warning in app.warnings] == [
        "timeouts cannot open the circuit breakers of these services: loyalty",
        "no commit can start",
    ]
