"""A gateway of one's own: other services, other pipelines, and nothing of the sample."""

import re
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest
import pytest_asyncio
from pydantic import Field, TypeAdapter
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
"""Words that only the sample has."""


class Points(UpstreamResponse):
    model_config = example(member_id="m-1", balance=12)

    member_id: str
    balance: int


class Loyalty:
    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def points(self, member_id: str) -> Call[Points, NotFound | UpstreamFault]:
        return self._client.get(
            "loyalty.points", ("points", member_id), answer=TypeAdapter(Points), declared={404: NotFound}
        )


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


class Network(httpx.AsyncBaseTransport):
    """Responds as the loyalty service does; notes the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200, json={"member_id": "m-1", "balance": 12})


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def app(network: Network) -> Gateway:
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


async def test_own_pipeline_calls_own_service(client: httpx.AsyncClient, network: Network) -> None:
    response = await client.post("/balances", json={"member_id": "m-1"})

    assert (response.status_code, response.json()) == (200, {"balance": 12})
    (request,) = network.requests
    assert str(request.url) == "http://127.0.0.1:8201/points/m-1"
    assert request.headers["user-agent"] == "loyalty-gateway/2.1"


async def test_services_are_where_the_settings_say(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_LOYALTY_URL", "http://loyalty.test/v2")
    app = create_app(services=[LOYALTY], pipelines=[BALANCE], transport=network)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        await client.post("/balances", json={"member_id": "m-1"})

    assert str(network.requests[0].url) == "http://loyalty.test/v2/points/m-1"


async def test_readiness_has_own_services_only(client: httpx.AsyncClient) -> None:
    assert [*(await client.get("/health/ready")).json()["checks"]] == ["loyalty"]


async def test_pipelines_are_own_ones_only(client: httpx.AsyncClient) -> None:
    (pipeline,) = (await client.get("/pipelines")).json()["pipelines"]

    assert (pipeline["name"], pipeline["method"], pipeline["path"]) == ("balance", "POST", "/balances")


@pytest.mark.parametrize("route", PIPELINES, ids=str)
async def test_routes_of_the_sample_do_not_exist(client: httpx.AsyncClient, route: Route) -> None:
    response = await client.request(route.method, route.path.replace("{user_id}", "user-123"), json={})

    assert (response.status_code, response.json()["code"]) == (404, "route-not-found")


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/pipelines", "/health/ready"])
async def test_nothing_mentions_the_sample(client: httpx.AsyncClient, path: str) -> None:
    assert SAMPLE.findall((await client.get(path)).text) == []


async def test_no_problem_type_mentions_the_sample(client: httpx.AsyncClient) -> None:
    code = (await client.get("/openapi.json")).json()["paths"]["/problems/{code}"]["get"]["responses"]["200"]
    assert code
    for response in [
        await client.get(f"/problems/{code}") for code in ("conflict", "forbidden", "not-found")
    ]:
        assert SAMPLE.findall(response.text) == []


def test_title_and_version_are_own_ones(app: Gateway) -> None:
    assert (app.openapi()["info"]["title"], app.openapi()["info"]["version"]) == ("Loyalty", "2.1")


def test_title_is_the_name_by_default(network: Network) -> None:
    app = create_app(services=[], pipelines=[], name="empty", transport=network)

    assert app.openapi()["info"]["title"] == "empty"


def test_settings_without_a_registered_service_are_an_error(network: Network) -> None:
    with pytest.raises(ValueError, match="no settings for service 'loyalty'"):
        create_app(load_settings(SERVICES), services=[LOYALTY], pipelines=[BALANCE], transport=network)


@pytest.mark.parametrize("name", ["", "two words", "a/b"])
def test_name_that_is_no_token_is_refused(network: Network, name: str) -> None:
    with pytest.raises(ValueError, match=f"invalid name '{name}'"):
        create_app(name=name, transport=network)


def test_two_services_of_one_name_are_an_error(network: Network) -> None:
    settings = load_settings([LOYALTY])

    with pytest.raises(ValueError, match="two services are named 'loyalty'"):
        create_app(settings, services=[LOYALTY, LOYALTY], pipelines=[], transport=network)


class Refunds:
    def __init__(self, client: ServiceClient) -> None:
        client.undo("refunds.cancel", ("refunds",))


def test_undos_of_one_name_in_two_services_are_an_error(network: Network) -> None:
    services = [Service(name, Refunds, url="http://127.0.0.1:8202") for name in ("east", "west")]

    with pytest.raises(ValueError, match=r"'east' and 'west' have undos of one name, 'refunds\.cancel'"):
        create_app(services=services, pipelines=[], transport=network)


def test_settings_without_effect_are_known_to_the_app(network: Network) -> None:
    settings = load_settings([LOYALTY], deadline_ms=200)
    app = create_app(settings, services=[LOYALTY], pipelines=[BALANCE], transport=network)

    assert [warning.partition(";")[0] for warning in app.warnings] == [
        "timeouts cannot open the circuit breakers of these services: loyalty",
        "no commit can start",
    ]
