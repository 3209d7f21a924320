"""Caller of a request: identification by a dependency, and its uses."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Final, cast

import httpx
import pytest
from fastapi import Depends, Header, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.admission.admission import Admission
from gateway.api.admission.caller import CallerDependency
from gateway.api.application import Gateway
from gateway.api.pipeline_route.registration import RegistrationError, Route
from gateway.api.pipeline_route.request import PipelineRequest
from tests.api.fake_bank import Bank, build_bank_gateway, post_payment
from tests.api.openapi_document import list_operations
from tests.api.sample_gateway import (
    BASKET,
    Basket,
    FakeServices,
    HangingCall,
    build_gateway,
    build_raising_call,
    build_sample_gateway,
    build_state,
    buy,
    create_client,
)

SCHEME: Final = HTTPBearer(auto_error=False)


async def find_principal(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(SCHEME)],
) -> str | None:
    """Return the user of a token such as `ada-1`; refuse the user eve."""
    if credentials is None:
        return None
    user = credentials.credentials.partition("-")[0]
    if user == "eve":
        raise HTTPException(403, "Blocked")
    if user == "expired":
        raise HTTPException(401, "Expired", {"WWW-Authenticate": "Bearer"})
    return user


def authorize(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def build_app(
    services: FakeServices,
    caller: CallerDependency = find_principal,
    *,
    per_minute: int | None = None,
    max_in_flight: int = 256,
) -> Gateway:
    state = build_state(caller=caller, admission=Admission(max_in_flight, per_minute))
    return build_sample_gateway(services, state)


async def post_basket(app: Gateway, headers: Mapping[str, str] | None = None) -> httpx.Response:
    async with create_client(app) as client:
        return await client.post("/baskets", json=BASKET, headers=headers)


def get_code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


async def test_refreshed_token_repeats_no_payment() -> None:
    """A client with another token of the same principal gets the answer of its key; another one does not."""
    bank = Bank()
    async with create_client(build_bank_gateway(bank, caller=find_principal)) as client:
        first = await post_payment(client, "rent", **authorize("ada-1"))
        refreshed = await post_payment(client, "rent", **authorize("ada-2"))
        other = await post_payment(client, "rent", **authorize("bob-1"))

    assert [response.status_code for response in (first, refreshed, other)] == [201] * 3
    assert refreshed.headers["idempotent-replayed"] == "true"
    assert refreshed.content == first.content
    assert len(bank.pay.keys) == 2


async def test_anonymous_keys_belong_to_credentials() -> None:
    async def find_none() -> None:
        return None

    bank = Bank()
    async with create_client(build_bank_gateway(bank, caller=find_none)) as client:
        for token in ("ada-1", "ada-2"):
            await post_payment(client, "rent", **authorize(token))

    assert len(bank.pay.keys) == 2


async def test_rate_limit_counts_principals() -> None:
    app = build_app(FakeServices(), per_minute=1)
    tokens = ["ada-1", "ada-2", "bob-1"]
    responses = [await post_basket(app, headers=authorize(token)) for token in tokens]

    assert [response.status_code for response in responses] == [200, 429, 200]


async def test_refused_callers_count_for_their_address() -> None:
    app = build_app(FakeServices(), per_minute=1)
    responses = [
        await post_basket(app, headers=headers)
        for headers in (authorize("expired-1"), authorize("expired-2"), {}, authorize("ada-1"))
    ]

    assert [response.status_code for response in responses] == [401, 429, 429, 200]


@pytest.mark.parametrize(
    ("token", "expected", "detail"),
    [("expired-1", (401, "unauthorized"), "Expired"), ("eve-1", (403, "forbidden"), "Blocked")],
)
async def test_refused_caller_is_a_problem(
    services: FakeServices, token: str, expected: tuple[int, str], detail: str
) -> None:
    response = await post_basket(build_app(services), headers=authorize(token))

    assert get_code(response) == expected
    assert response.json()["detail"] == detail
    assert response.headers["gateway-completed"] == "false"
    assert services.contexts == []


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        (b"{", {"Content-Type": "text/plain"}, 415),
        (b" " * 65_537, {}, 413),
        (b"{", {"X-Request-Timeout-Ms": "0"}, 400),
        (b"{", {}, 401),
    ],
)
async def test_refusal_takes_its_place_among_the_checks(
    services: FakeServices, content: bytes, headers: dict[str, str], expected: int
) -> None:
    sent = {"Content-Type": "application/json", **authorize("expired-1"), **headers}
    async with create_client(build_app(services)) as client:
        response = await client.post("/baskets", content=content, headers=sent)

    assert response.status_code == expected


async def test_pipeline_context_has_the_caller(services: FakeServices) -> None:
    await post_basket(build_app(services), headers=authorize("ada-1"))

    assert [context.caller for context in services.contexts] == ["ada"]


@pytest.mark.parametrize(("headers", "expected"), [(authorize("ada-1"), "ada"), ({}, "None")])
async def test_endpoint_reads_the_caller(
    services: FakeServices, headers: dict[str, str], expected: str
) -> None:
    seen: list[str] = []

    async def read_caller(request: PipelineRequest) -> str | None:
        return request.caller

    async def plain(basket: Basket, request: PipelineRequest) -> Response:
        seen.append(str(request.caller))
        return await request.run(basket)

    async def solved(
        basket: Basket, request: PipelineRequest, caller: Annotated[str | None, Depends(read_caller)]
    ) -> Response:
        seen.append(str(caller))
        return await request.run(basket)

    app = build_gateway(
        Route("POST", "/baskets", buy, endpoint=plain),
        Route("POST", "/solved", buy, endpoint=solved),
        services={"fakes": services},
        shared=build_state(caller=find_principal),
    )
    async with create_client(app) as client:
        for path in ("/baskets", "/solved"):
            await client.post(path, json=BASKET, headers=headers)

    assert seen == [expected] * 2


async def test_log_of_a_bug_names_the_caller(
    services: FakeServices, caplog: pytest.LogCaptureFixture
) -> None:
    services.users = build_raising_call("users.fetch", KeyError("bug"))
    response = await post_basket(
        build_app(services), headers={**authorize("ada-1"), "X-Request-Id": "request-1"}
    )

    assert response.status_code == 500
    assert "request request-1, caller 'ada'" in caplog.text


async def test_slow_identification_is_504_at_the_deadline(services: FakeServices) -> None:
    async def wait_for_ever() -> str:
        await asyncio.Event().wait()
        return ""

    response = await post_basket(build_app(services, wait_for_ever))

    assert asyncio.get_running_loop().time() == 5.0
    assert get_code(response) == (504, "timed-out")


async def test_full_gateway_identifies_no_caller() -> None:
    identified: list[str] = []

    async def find_and_count() -> str:
        identified.append("ada")
        return "ada"

    hanging = HangingCall("users.fetch")
    app = build_app(FakeServices(users=hanging.call), find_and_count, max_in_flight=1)
    first = asyncio.create_task(post_basket(app))
    await hanging.has_started.wait()
    shed = await post_basket(app)
    first.cancel()

    assert (get_code(shed), identified) == ((503, "unavailable"), ["ada"])


@pytest.mark.parametrize("value", [7, ""])
async def test_other_value_than_an_id_is_a_bug(
    services: FakeServices,
    value: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def find_number() -> str:
        return cast("str", value)

    response = await post_basket(build_app(services, find_number))

    assert get_code(response) == (500, "unexpected")
    assert "find_number must return the id of the caller or None" in caplog.text


async def test_invalid_parameter_of_the_dependency_is_422(services: FakeServices) -> None:
    async def find_by_header(x_user: Annotated[str, Header(min_length=2)]) -> str:
        return x_user

    app = build_app(services, find_by_header)
    response, admitted = await post_basket(app), await post_basket(app, headers={"X-User": "ada"})

    assert get_code(response) == (422, "invalid")
    assert response.json()["violations"] == [{"field": "x-user", "messages": ["is required"]}]
    assert admitted.status_code == 200


async def test_dependency_cannot_read_the_body(services: FakeServices) -> None:
    async def read_body(request: Request) -> str:
        return str(await request.body())

    assert (await post_basket(build_app(services, read_body))).status_code == 500


def test_dependency_with_a_body_is_refused(services: FakeServices) -> None:
    async def take_body(basket: Basket) -> str:
        return basket.user_id

    with pytest.raises(RegistrationError, match=r"the dependency .*take_body takes a body: basket"):
        build_app(services, take_body)


async def test_overrides_replace_the_dependency(services: FakeServices) -> None:
    async def find_ada() -> str:
        return "ada"

    app = build_app(services)
    app.dependency_overrides[find_principal] = find_ada
    await post_basket(app, headers=authorize("expired-1"))

    assert [context.caller for context in services.contexts] == ["ada"]


def test_security_of_pipelines_is_documented() -> None:
    app = build_bank_gateway(Bank(), caller=find_principal)
    operations = dict(list_operations(app.openapi()))

    for name, schemes in [("post /payments", ["HTTPBearer"]), ("post /sealed", ["HTTPBearer", "bearer"])]:
        (requirement,) = operations[name]["security"]
        assert [*requirement] == schemes
        assert {"401", "403", "504"} <= operations[name]["responses"].keys()
