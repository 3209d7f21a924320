"""Registration of a route, and binding of its pipeline to services and parts of the request."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Never

import httpx
import pytest
from pydantic import BaseModel, Field
from starlette.responses import Response

from gateway.api.application import Gateway
from gateway.api.pipeline_route.binding import bind
from gateway.api.pipeline_route.description import list_notes
from gateway.api.pipeline_route.registration import Endpoint, RegistrationError, Route
from gateway.api.pipeline_route.request import PipelineRequest
from gateway.client.examples import NoExampleError
from gateway.client.models import UpstreamRequest, example
from gateway.railway import Aggregate, Ok, Run, RunContext, Stuck, UpstreamFault, railway
from tests.api.sample_gateway import build_gateway, create_client
from tests.client.scripted_service import Raising
from tests.service_clients import service_client

Name = Annotated[str, Field(description="the guest", examples=["Ada"])]


class Greeter:
    greeting = "Hello"


class PoliteGreeter(Greeter):
    greeting = "How do you do"


class Unrelated:
    pass


class Words(BaseModel):
    closing: str = Field(default="!", examples=["."])


@railway
async def greet(_: Run[UpstreamFault | Aggregate], name: Name, greeter: Greeter, words: Words) -> str:
    """Greet a guest."""
    return f"{greeter.greeting}, {name}{words.closing}"


GREET = Route("PUT", "/greetings/{name}", greet)


def build_app(route: Route, **services: object) -> Gateway:
    return build_gateway(route, services=services, has_dry_runs=True)


async def put_greeting(route: Route, **services: object) -> httpx.Response:
    async with create_client(build_app(route, **services)) as client:
        return await client.put("/greetings/Ada", json={"closing": "?"})


async def test_parameters_come_from_path_body_and_services() -> None:
    response = await put_greeting(GREET, greeter=Greeter())

    assert (response.status_code, response.json()) == (200, "Hello, Ada?")


async def test_positional_arguments_skip_services() -> None:
    bound = bind(GREET, {"greeter": Greeter()})

    assert await bound.run(RunContext(), "Ada", Words(closing=".")) == Ok("Hello, Ada.")


@pytest.mark.parametrize("args", [("Ada", Words(), "again"), ("Ada", Words())])
def test_surplus_argument_is_refused(args: tuple[object, ...]) -> None:
    bound = bind(GREET, {"greeter": Greeter()})

    with pytest.raises(TypeError, match="greet takes name, words: too many arguments, or one given twice"):
        _ = bound.run(RunContext(), *args, name="Ada")


async def test_service_of_a_derived_class_is_resolved() -> None:
    assert (await put_greeting(GREET, greeter=PoliteGreeter())).json() == "How do you do, Ada?"


def test_openapi_operation_comes_from_pipeline() -> None:
    operation = build_app(GREET, greeter=Greeter()).openapi()["paths"]["/greetings/{name}"]["put"]

    assert (operation["operationId"], operation["summary"]) == ("put_greet", "Greet a guest.")
    (parameter,) = [item for item in operation["parameters"] if item.get("in") == "path"]
    assert (parameter["name"], parameter["description"]) == ("name", "the guest")
    assert operation["requestBody"]["content"]["application/json"]["example"] == {"closing": "."}


def test_path_parameter_has_example_of_dry_run() -> None:
    route = replace(GREET, example={"name": "Grace"})
    operation = build_app(route, greeter=Greeter()).openapi()["paths"]["/greetings/{name}"]["put"]

    assert operation["parameters"][0]["example"] == "Grace"


def test_route_example_can_be_the_body() -> None:
    route = Route("PUT", "/greetings/{name}", greet, example=Words(closing=";"))

    (described,) = build_app(route, greeter=Greeter()).pipelines
    assert described.description["path"] == "/greetings/{name}"


def test_unregistered_service_class_is_refused() -> None:
    reason = r"PUT /greetings/{name}: no service of class Greeter is registered for greeter of greet"
    with pytest.raises(RegistrationError, match=reason) as refused:
        build_app(GREET, other=Unrelated())

    assert str(refused.value).endswith("(registered: other: Unrelated)")


def test_ambiguous_service_error_has_both_names() -> None:
    with pytest.raises(
        RegistrationError, match="greeter of greet is ambiguous: services 'first' and 'second'"
    ):
        build_app(GREET, first=Greeter(), second=Greeter())


def test_unused_services_may_share_a_class() -> None:
    build_app(GREET, greeter=Greeter(), first=Unrelated(), second=Unrelated())


@railway
async def two_bodies(_: Run[Never], first: Words, second: Words) -> str:
    """Take two bodies, more than a request has."""
    return first.closing + second.closing


@pytest.mark.parametrize(
    "route",
    [
        Route("POST", "/x", two_bodies),
        Route("GET", "/greetings/{name}", greet),
        Route("DELETE", "/greetings/{name}", greet),
    ],
)
def test_unsuppliable_parameter_is_refused(route: Route) -> None:
    with pytest.raises(
        RegistrationError, match=r"a request cannot supply .* else use Route\(endpoint=\.\.\.\)"
    ):
        build_app(route, greeter=Greeter())


def test_unresolvable_annotation_is_refused() -> None:
    @railway
    async def unresolvable(_: Run[Never], text: str) -> str:
        """Refer to a missing class."""
        return text

    unresolvable.function.__annotations__["text"] = "Nowhere"

    with pytest.raises(RegistrationError, match=r"cannot resolve the annotations of unresolvable: .*Nowhere"):
        build_app(Route("POST", "/x", unresolvable))


@pytest.mark.parametrize("method", ["get", "TRACE", ""])
def test_unknown_method_is_refused(method: str) -> None:
    with pytest.raises(RegistrationError, match=f"unknown method '{method}' of /x"):
        Route(method, "/x", greet)


@pytest.mark.parametrize(
    ("methods", "reason"),
    [
        ([], "unknown method none of /x"),
        (["GET", "get"], "unknown method 'get' of /x"),
        (["PUT", "PUT"], "PUT, PUT /x: a method is repeated"),
    ],
)
def test_unusable_list_of_methods_is_refused(methods: list[str], reason: str) -> None:
    with pytest.raises(RegistrationError, match=reason):
        Route(methods, "/x", greet)


def test_path_without_slash_is_refused() -> None:
    with pytest.raises(RegistrationError, match="invalid path 'x': expected a path such as"):
        Route("GET", "x", greet)


@railway
async def anything(_: Run[Never], value: object) -> str:
    """Take any JSON."""
    return str(value)


def test_scalar_outside_path_is_refused() -> None:
    with pytest.raises(RegistrationError, match="POST /x: value of anything would be a query parameter"):
        build_app(Route("POST", "/x", anything), first=Greeter(), second=Greeter())


class Wish(BaseModel):
    text: str


@railway
async def grant(_: Run[Never], wish: Wish) -> str:
    """Grant a wish."""
    return wish.text


def test_openapi_body_has_route_example() -> None:
    app = build_app(Route("POST", "/wishes", grant, example=Wish(text="more")))

    operation = app.openapi()["paths"]["/wishes"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["example"] == {"text": "more"}


async def test_body_without_example_is_noted() -> None:
    app = build_app(Route("POST", "/wishes", grant))

    (described,) = app.pipelines
    (note,) = list_notes(app.pipelines)
    assert "did not succeed: no example for wish: Text has no example; give examples with which" in note
    assert (described.description["stages"], described.description["summary"]) == ([], "Grant a wish.")
    async with create_client(app) as client:
        assert (await client.post("/wishes", json={"text": "more"})).json() == "more"


async def test_pipeline_without_example_cannot_be_run_on_it() -> None:
    (described,) = build_app(Route("POST", "/wishes", grant)).pipelines

    with pytest.raises(NoExampleError, match="no example for wish: Text has no example"):
        await described.run(RunContext())


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        ({"nam": "Ada"}, "the example has nam, but greet has no such parameter"),
        (Wish(text="more"), "the example is a Wish, but greet has no such parameter"),
    ],
)
def test_mismatched_example_is_refused(example: Wish | Mapping[str, object], reason: str) -> None:
    with pytest.raises(RegistrationError, match=f"PUT /greetings/{{name}}: {reason}"):
        build_app(Route("PUT", "/greetings/{name}", greet, example=example), greeter=Greeter())


@pytest.mark.parametrize("name", ["text", "return"])
def test_missing_annotation_is_refused(name: str) -> None:
    @railway
    async def plain(_: Run[Never], text: str) -> str:
        """Return the text."""
        return text

    del plain.function.__annotations__[name]

    with pytest.raises(RegistrationError, match=f"POST /x: plain has no annotation for {name}"):
        build_app(Route("POST", "/x", plain))


@pytest.mark.parametrize("path", ["/x y", "/{a", "/a}", "/{}", "/{a-b}", "/x?y=1", "/x#y", ""])
def test_invalid_path_is_refused(path: str) -> None:
    with pytest.raises(RegistrationError, match="invalid path"):
        Route("GET", path, greet)


@pytest.mark.parametrize("status", [199, 207, 300, 404, "201"])
def test_status_other_than_a_success_is_refused(status: Any) -> None:  # noqa: ANN401 - "201" too
    with pytest.raises(RegistrationError, match=f"invalid status {status!r} of GET /x"):
        Route("GET", "/x", greet, status=status)


def test_undecorated_function_is_refused() -> None:
    plain: Any = greet.function

    with pytest.raises(RegistrationError, match="decorate the function with @railway"):
        Route("GET", "/x", plain)


def test_unused_path_parameter_is_refused() -> None:
    with pytest.raises(
        RegistrationError, match="neither greet nor its endpoint takes the path parameter other"
    ):
        build_app(Route("PUT", "/greetings/{name}/{other}", greet), greeter=Greeter())


def test_duplicate_method_and_path_is_refused() -> None:
    reason = "PUT /greetings/{name} and PUT /greetings/{name:path} have the same method and path"
    with pytest.raises(RegistrationError, match=re.escape(reason)):
        build_gateway(GREET, Route("PUT", "/greetings/{name:path}", greet), services={"greeter": Greeter()})


def test_duplicate_operation_id_is_refused() -> None:
    with pytest.raises(RegistrationError, match="have the same operation id, put_greet"):
        build_gateway(GREET, Route("PUT", "/hello/{name}", greet), services={"greeter": Greeter()})


def test_duplicate_pipeline_name_is_refused() -> None:
    @railway
    async def greet(_: Run[Never], name: Name) -> str:
        """Greet by the name alone."""
        return name

    with pytest.raises(RegistrationError, match="have different pipelines named greet"):
        build_gateway(GREET, Route("GET", "/names/{name}", greet), services={"greeter": Greeter()})


@pytest.mark.parametrize("path", ["/docs", "/health/ready", "/{name}", "/problems/{name}"])
def test_route_hiding_a_built_in_path_is_refused(path: str) -> None:
    @railway
    async def echo(_: Run[Never], name: Name = "") -> str:
        """Return the name."""
        return name

    with pytest.raises(RegistrationError, match=f"^GET {re.escape(path)} hides /"):
        build_app(Route("GET", path, echo) if "name" in path else Route("GET", path, nothing))


@railway
async def nothing(_: Run[Never]) -> str:
    """Do nothing."""
    return ""


class Payment(UpstreamRequest):
    model_config = example(amount=1)

    amount: int


@railway
async def careless(run: Run[Any]) -> str:
    """Commit without promising `Stuck`."""
    bank = service_client("bank", "http://bank.test", Raising(httpx.ConnectError("never called")))
    undo = bank.undo.delete("bank.pay_back", "/payments/{key}")
    pay = bank.write.post("bank.pay", "/payments", answer=Payment, undo=undo)
    await run.commit("pay", pay(Payment(amount=1)))
    return ""


def test_commit_without_stuck_error_is_refused() -> None:
    with pytest.raises(
        RegistrationError, match="careless commits, so the errors of its run must include Stuck"
    ):
        build_app(Route("POST", "/x", careless))


def test_commit_under_get_is_refused() -> None:
    @railway
    async def pay(run: Run[Stuck]) -> str:
        """Promise `Stuck`, as a pipeline with a commit does."""
        return str(run)

    with pytest.raises(RegistrationError, match="GET /x: pay writes, which GET must not do"):
        build_app(Route("GET", "/x", pay))


def not_async(request: PipelineRequest) -> Response:
    raise NotImplementedError


async def unresolved(request: PipelineRequest) -> Response:
    raise NotImplementedError


unresolved.__annotations__["request"] = "Nowhere"


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        (not_async, "not_async: an endpoint must be an async function"),
        (unresolved, "unresolved: cannot resolve its annotations: .*Nowhere"),
    ],
)
def test_uncallable_endpoint_is_refused(endpoint: Any, reason: str) -> None:  # noqa: ANN401 - invalid endpoints
    with pytest.raises(RegistrationError, match=reason):
        build_app(Route("POST", "/x", nothing, endpoint=endpoint))


def test_route_responses_accept_status_classes() -> None:
    app = build_app(Route("POST", "/x", nothing, responses={"4XX": {"description": "refused"}}))

    assert app.openapi()["paths"]["/x"]["post"]["responses"]["4XX"]["description"] == "refused"


async def test_cors_allows_methods_of_routes() -> None:
    preflight = {"Origin": "http://a.test", "Access-Control-Request-Method": "PUT"}
    app = build_gateway(GREET, services={"greeter": Greeter()}, cors_origins=["http://a.test"])
    async with create_client(app) as client:
        response = await client.options("/greetings/Ada", headers=preflight)

    assert response.status_code == 200


@railway
async def shout(_: Run[Never], text: Name) -> str:
    """Return the text in capitals."""
    return text.upper()


async def post_words(words: Words, request: PipelineRequest) -> Response:
    return await request.run(words.closing)


async def post_wish(wish: Wish, request: PipelineRequest) -> Response:
    return await request.run(wish.text)


@pytest.mark.parametrize(("endpoint", "example"), [(post_words, {"closing": "."}), (post_wish, None)])
def test_endpoint_body_is_documented_from_its_type(endpoint: Endpoint, example: object) -> None:
    app = build_app(Route("POST", "/shouts", shout, endpoint=endpoint))

    body = app.openapi()["paths"]["/shouts"]["post"]["requestBody"]["content"]["application/json"]
    assert body.get("example") == example
