"""Endpoints with query, header and cookie parameters, dependencies and an optional body."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Any, Final, Never

import httpx
import pytest
from fastapi import BackgroundTasks, Cookie, Depends, Header, HTTPException, Path, Query, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.application import Gateway
from gateway.api.pipeline_route.commit_request import CommitRequest
from gateway.api.pipeline_route.registration import Endpoint, Route
from gateway.api.pipeline_route.request import PipelineRequest
from gateway.api.state import GatewayState
from gateway.railway import NotFound, Run, railway
from tests.api.asgi_connection import AsgiConnection
from tests.api.fake_bank import PAYMENT, Bank, BankProcess, Payment, add_key, pay
from tests.api.openapi_document import check_response, get_example_problems
from tests.api.sample_gateway import build_gateway, build_state, create_client

JSON: Final = {"Content-Type": "application/json"}

Tag = Annotated[str, Query(min_length=2, max_length=5, examples=["red"])]


@railway
async def echo(_: Run[Never], words: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the words."""
    return words


def build_app(endpoint: Endpoint, method: str = "GET", state: GatewayState | None = None) -> Gateway:
    """Build a gateway of one route: `/{name}`."""
    route = Route(method, "/echo/{name}", echo, endpoint=endpoint, example={"words": ("a",)})
    return build_gateway(route, services={}, shared=state, has_dry_runs=True)


async def send(app: Gateway, method: str = "GET", path: str = "/echo/ada", **options: Any) -> httpx.Response:  # noqa: ANN401 - options of httpx
    async with create_client(app) as client:
        return await client.request(method, path, **options)


def get_violations(response: httpx.Response) -> list[tuple[str, list[str]]]:
    assert (response.status_code, response.json()["code"]) == (422, "invalid")
    return [(violation["field"], violation["messages"]) for violation in response.json()["violations"]]


async def get_echo(  # noqa: PLR0913, PLR0917 - every kind of parameter
    request: PipelineRequest,
    name: str,
    tag: Tag,
    limit: Annotated[int, Query(ge=1)] = 10,
    x_tenant: Annotated[str | None, Header()] = None,
    session: Annotated[str | None, Cookie()] = None,
) -> Response:
    return await request.run((name, tag, str(limit), str(x_tenant), str(session)))


async def test_query_header_and_cookie_reach_pipeline() -> None:
    headers = {"X-Tenant": "acme", "Cookie": "session=s-1"}
    response = await send(build_app(get_echo), path="/echo/ada?tag=red&limit=3", headers=headers)

    assert response.json() == ["ada", "red", "3", "acme", "s-1"]
    assert response.headers["gateway-completed"] == "true"
    assert "gateway;dur=" in response.headers["server-timing"]


async def test_defaults_replace_missing_parameters() -> None:
    assert (await send(build_app(get_echo), path="/echo/ada?tag=red")).json()[2:] == ["10", "None", "None"]


async def test_invalid_parameters_are_a_422_with_fields() -> None:
    response = await send(build_app(get_echo), path="/echo/ada?limit=0&tag=r")

    assert get_violations(response) == [
        ("tag", ["must have at least 2 characters"]),
        ("limit", ["must be at least 1"]),
    ]
    assert response.headers["gateway-completed"] == "false"
    assert "server-timing" in response.headers


async def test_missing_parameter_is_named() -> None:
    assert get_violations(await send(build_app(get_echo))) == [("tag", ["is required"])]


async def test_invalid_response_is_documented() -> None:
    app = build_app(get_echo)
    document = app.openapi()
    operation = document["paths"]["/echo/{name}"]["get"]

    assert [item["name"] for item in operation["parameters"] if "name" in item] == [
        "name",
        "tag",
        "limit",
        "x-tenant",
        "session",
    ]
    examples = get_example_problems(operation["responses"]["422"])
    assert [violation["field"] for violation in examples["invalid-request"]["violations"]] == ["tag", "limit"]
    assert "HTTPValidationError" not in json.dumps(document)
    assert "504" not in operation["responses"]


class Wish(BaseModel):
    model_config = ConfigDict(strict=True)

    on: date = Field(examples=["2026-01-31"])


async def post_wish(
    request: PipelineRequest, name: str, wish: Wish, tags: Annotated[tuple[str, ...], Query()] = ()
) -> Response:
    return await request.run((name, wish.on.isoformat(), *tags))


async def test_body_beside_query_is_validated_as_json() -> None:
    """A strict model takes a date from JSON, which FastAPI's own parsing refuses."""
    response = await send(
        build_app(post_wish, "POST"), "POST", "/echo/ada?tags=a&tags=b", json={"on": "2026-01-31"}
    )

    assert response.json() == ["ada", "2026-01-31", "a", "b"]


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        (b"{}", {}, (415, "unsupported-media-type")),
        (b"{", JSON, (400, "malformed")),
        (b"", JSON, (400, "malformed")),
        (b'{"on": NaN}', JSON, (400, "malformed")),
        (b" " * 65_537, JSON, (413, "too-large")),
        (b"{}", {**JSON, "X-Request-Timeout-Ms": "0"}, (400, "invalid-header")),
    ],
)
async def test_body_rules_hold_beside_query(
    content: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    response = await send(build_app(post_wish, "POST"), "POST", content=content, headers=headers)

    assert (response.status_code, response.json()["code"]) == expected


async def limited(
    request: PipelineRequest, name: str, wish: Wish, limit: Annotated[int, Query(ge=1)]
) -> Response:
    return await request.run((name, str(wish.on), str(limit)))


async def test_errors_of_query_and_body_are_combined() -> None:
    response = await send(build_app(limited, "POST"), "POST", "/echo/ada?limit=0", json={})

    assert get_violations(response) == [("limit", ["must be at least 1"]), ("on", ["is required"])]


async def test_body_error_alone_is_422() -> None:
    response = await send(build_app(limited, "POST"), "POST", "/echo/ada?limit=1", json={})

    assert get_violations(response) == [("on", ["is required"])]


async def test_malformed_body_precedes_invalid_query() -> None:
    response = await send(build_app(limited, "POST"), "POST", "/echo/ada?limit=0", content=b"{", headers=JSON)

    assert (response.status_code, response.json()["code"]) == (400, "malformed")


async def take_optional(request: PipelineRequest, name: str, wish: Wish | None = None) -> Response:
    return await request.run((name, str(wish and wish.on)))


async def take_optional_and_query(
    request: PipelineRequest, name: str, wish: Wish | None = None, tag: str = ""
) -> Response:
    return await request.run((name, str(wish and wish.on), tag))


@pytest.mark.parametrize("endpoint", [take_optional, take_optional_and_query])
@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        (b"", {}, "None"),
        (b"", JSON, "None"),
        (b"null", JSON, "None"),
        (b'{"on":"2026-01-31"}', JSON, "2026-01-31"),
    ],
)
async def test_optional_body_may_be_missing(
    endpoint: Endpoint, content: bytes, headers: dict[str, str], expected: str
) -> None:
    response = await send(build_app(endpoint, "POST"), "POST", content=content, headers=headers)

    assert response.json()[:2] == ["ada", expected]


@pytest.mark.parametrize("endpoint", [take_optional, take_optional_and_query])
async def test_optional_body_must_be_json(endpoint: Endpoint) -> None:
    response = await send(build_app(endpoint, "POST"), "POST", content=b"{}", headers={"Content-Type": "a/b"})

    assert (response.status_code, response.json()["code"]) == (415, "unsupported-media-type")


async def check_member(request: Request, name: str, x_key: Annotated[str, Header()]) -> str:
    if x_key == "wrong":
        raise HTTPException(403, detail={"reason": "wrong key"}, headers={"X-Hint": request.method})
    return f"{name}:{x_key}"


async def take_dependency(
    request: PipelineRequest, name: str, member: Annotated[str, Depends(check_member)]
) -> Response:
    return await request.run((name, member))


async def test_dependency_value_reaches_pipeline() -> None:
    response = await send(build_app(take_dependency), headers={"X-Key": "k"})

    assert response.json() == ["ada", "ada:k"]


async def test_dependency_parameter_error_is_422() -> None:
    assert get_violations(await send(build_app(take_dependency))) == [("x-key", ["is required"])]


async def test_refusal_by_dependency_is_a_problem() -> None:
    response = await send(build_app(take_dependency), headers={"X-Key": "wrong"})

    assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert response.json()["detail"] == '{"reason":"wrong key"}'
    assert response.headers["x-hint"] == "GET"
    assert response.headers["gateway-completed"] == "false"
    assert "server-timing" in response.headers


async def find_nothing() -> None:
    raise HTTPException(404)


async def take_missing(
    request: PipelineRequest, name: str, found: Annotated[None, Depends(find_nothing)]
) -> Response:
    return await request.run((name, str(found)))


async def test_404_of_a_dependency_is_not_an_unknown_route() -> None:
    response = await send(build_app(take_missing))

    assert (response.status_code, response.json()["code"]) == (404, "not-found")


async def admit() -> str:
    return "fake"


async def test_dependency_overrides_of_app_apply() -> None:
    app = build_app(take_dependency)
    app.dependency_overrides = {check_member: admit}

    assert (await send(app)).json() == ["ada", "fake"]


async def never_end() -> None:
    await asyncio.Event().wait()


async def take_slow_dependency(
    request: PipelineRequest, name: str, slow: Annotated[None, Depends(never_end)]
) -> Response:
    return await request.run((name, str(slow)))


async def test_slow_dependency_is_504_at_the_deadline() -> None:
    app = build_app(take_slow_dependency)
    response = await send(app, headers={"X-Request-Timeout-Ms": "1500"})

    assert asyncio.get_running_loop().time() == 1.5
    assert (response.status_code, response.json()["code"]) == (504, "timed-out")
    assert "504" in app.openapi()["paths"]["/echo/{name}"]["get"]["responses"]


async def time_out() -> None:
    raise TimeoutError


async def take_timed_out(
    request: PipelineRequest, name: str, late: Annotated[None, Depends(time_out)]
) -> Response:
    return await request.run((name, str(late)))


async def test_timeout_error_of_a_dependency_is_500() -> None:
    assert (await send(build_app(take_timed_out))).status_code == 500


async def test_endpoint_itself_may_pass_the_deadline() -> None:
    async def endpoint(request: PipelineRequest, name: str, tag: str = "") -> Response:
        await asyncio.sleep(9)
        return await request.run((name, tag))

    assert (await send(build_app(endpoint))).status_code == 200


async def test_response_parameter_sets_headers_and_status() -> None:
    async def set_cookie(response: Response) -> None:
        response.set_cookie("seen", "yes")

    async def endpoint(
        request: PipelineRequest, name: str, response: Response, _: Annotated[None, Depends(set_cookie)]
    ) -> Response:
        response.headers["ETag"] = '"1"'
        response.status_code = 203
        return await request.run((name,))

    response = await send(build_app(endpoint))

    assert (response.status_code, response.headers["etag"]) == (203, '"1"')
    assert response.headers["set-cookie"].startswith("seen=yes")
    assert response.json() == ["ada"]


async def test_status_without_body_is_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    async def endpoint(request: PipelineRequest, name: str, response: Response) -> Response:
        response.status_code = 204
        return await request.run((name,))

    assert (await send(build_app(endpoint))).status_code == 500
    assert "register the route with this status" in caplog.text


@railway
async def miss(run: Run[NotFound]) -> str:
    """Find nothing."""
    run.fail(NotFound("Nothing here"))


async def test_response_parameter_leaves_problems_alone() -> None:
    async def endpoint(request: PipelineRequest, response: Response) -> Response:
        response.headers["ETag"] = '"1"'
        response.status_code = 203
        return await request.run()

    app = build_gateway(Route("GET", "/echo/ada", miss, endpoint=endpoint), services={})
    response = await send(app)

    assert (response.status_code, response.json()["detail"]) == (404, "Nothing here")
    assert "etag" not in response.headers


async def test_background_tasks_run_after_the_response() -> None:
    done: list[str] = []

    async def endpoint(request: PipelineRequest, name: str, tasks: BackgroundTasks) -> Response:
        tasks.add_task(done.append, name)
        return await request.run((name,))

    assert (await send(build_app(endpoint))).status_code == 200
    assert done == ["ada"]


async def test_endpoint_can_read_the_body_itself() -> None:
    async def endpoint(request: PipelineRequest, name: str) -> Response:
        parts = [part async for part in request.stream()]
        return await request.run((name, str(await request.json()), str(b"".join(parts))))

    response = await send(build_app(endpoint, "POST"), "POST", json=[1])

    assert response.json() == ["ada", "[1]", "b'[1]'"]


class Session:
    """Generator dependency that records how the request ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def open(self) -> AsyncIterator[str]:
        try:
            yield "session"
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise
        self.ended.append("success")


def build_session_app(session: Session, outcome: Exception | asyncio.Event | None) -> Gateway:
    async def endpoint(
        request: PipelineRequest, name: str, opened: Annotated[str, Depends(session.open)]
    ) -> Response:
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is not None:
            await outcome.wait()
        return await request.run((name, opened))

    return build_app(endpoint)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (None, (200, "success")),
        (HTTPException(409, "taken"), (409, "HTTPException")),
        (KeyError("bug"), (500, "KeyError")),
    ],
)
async def test_generator_dependency_sees_the_outcome(
    outcome: Exception | None, expected: tuple[int, str]
) -> None:
    session = Session()
    response = await send(build_session_app(session, outcome))

    assert (response.status_code, *session.ended) == expected
    assert "server-timing" in response.headers
    assert response.headers["gateway-completed"] == ("true" if outcome is None else "false")


async def test_generator_dependency_sees_a_disconnect() -> None:
    session = Session()
    connection = AsgiConnection({"type": "http.request", "body": b"", "more_body": False})
    headers: list[tuple[bytes, bytes]] = []
    scope = {"type": "http", "method": "GET", "path": "/echo/ada", "query_string": b"", "headers": headers}
    app = build_session_app(session, asyncio.Event())
    connection.disconnect()

    await app(scope, connection.receive, connection.send)

    assert session.ended == ["ClientDisconnect"]
    assert connection.sent == []


async def test_exception_raised_by_a_generator_is_a_problem() -> None:
    async def translate() -> AsyncIterator[None]:
        try:
            yield
        except KeyError as error:
            raise HTTPException(409, "translated") from error

    async def endpoint(
        request: PipelineRequest, name: str, _: Annotated[None, Depends(translate)]
    ) -> Response:
        raise KeyError(name, request)

    response = await send(build_app(endpoint))

    assert (response.status_code, response.json()["detail"]) == (409, "translated")
    assert response.headers["gateway-completed"] == "false"
    assert "server-timing" in response.headers


async def take_security(
    request: PipelineRequest,
    name: str,
    key: Annotated[str, Security(APIKeyHeader(name="X-Api-Key"))],
    token: Annotated[object, Security(HTTPBearer(auto_error=False), scopes=["read"])],
) -> Response:
    return await request.run((name, key, str(token)))


async def test_security_scheme_refuses_and_is_documented() -> None:
    app = build_app(take_security)
    refused, admitted = await send(app), await send(app, headers={"X-Api-Key": "k"})
    operation = app.openapi()["paths"]["/echo/{name}"]["get"]

    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert admitted.json() == ["ada", "k", "None"]
    assert [*operation["security"][0], *operation["security"][1]] == ["APIKeyHeader", "HTTPBearer"]
    assert {"401", "403"} <= operation["responses"].keys()
    assert {"HTTPBearer", "APIKeyHeader"} <= app.openapi()["components"]["securitySchemes"].keys()
    assert app.pipelines[0].description["statuses"] == sorted(map(int, operation["responses"]))


async def test_aliased_path_parameter_is_supported() -> None:
    async def endpoint(request: PipelineRequest, person: Annotated[str, Path(alias="name")]) -> Response:
        return await request.run((person,))

    assert (await send(build_app(endpoint))).json() == ["ada"]


def build_bank_app(bank: Bank, endpoint: Endpoint) -> Gateway:
    state = build_state(executions=BankProcess(bank).executions)
    return build_gateway(
        Route("POST", "/payments", pay, endpoint=endpoint), services={"bank": bank}, shared=state
    )


async def count_pages(page: int = 1) -> int:
    return page


async def post_payment(
    request: CommitRequest,
    payment: Payment,
    x_trace: Annotated[str, Header()] = "",
    dry: Annotated[bool, Query()] = False,  # noqa: FBT002 - a query parameter
    pages: Annotated[int, Depends(count_pages)] = 0,
) -> Response:
    assert (x_trace, dry, pages) is not None
    return await request.commit(payment)


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/payments", {"X-Trace": "b"}, 200),
        ("/payments?dry=false", {}, 200),
        ("/payments?dry=true", {}, 422),
        ("/payments?page=2", {}, 422),
    ],
)
async def test_idempotency_covers_body_and_query(path: str, headers: dict[str, str], expected: int) -> None:
    bank = Bank()
    async with create_client(build_bank_app(bank, post_payment)) as client:
        first = await client.post("/payments", json=PAYMENT, headers=add_key("k", **{"X-Trace": "a"}))
        again = await client.post(path, json=PAYMENT, headers=add_key("k", **headers))

    assert (first.status_code, again.status_code) == (200, expected)
    assert len(bank.pay.keys) == 1


async def test_documented_statuses_cover_refusals() -> None:
    app = build_app(take_security)
    async with create_client(app) as client:
        response = await client.get("/echo/ada")
    document = app.openapi()
    document["paths"]["/echo/ada"] = document["paths"]["/echo/{name}"]

    check_response(document, response)
