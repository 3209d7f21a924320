"""Descriptions of the sample's pipelines in `GET /pipelines` and OpenAPI."""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import httpx
import pytest
import pytest_asyncio
from typing_extensions import override

from gateway.api.application import Gateway
from gateway.api.pipeline_route.description import DescribedPipeline
from gateway.app import create_app
from gateway.plan.critical_path import schedule
from gateway.plan.plan import Plan
from gateway.railway import CONCURRENT, SETTLE, CommitPolicy

Stages: TypeAlias = list[tuple[str, str, list[str]]]


class FailingTransport(httpx.AsyncBaseTransport):
    """Transport that fails the test if a service is called."""

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)


STAGES: Final[dict[str, Stages]] = {
    "checkout": [
        ("core data", "settle", ["users.fetch", "inventory.check", "payments.validate"]),
        ("assessment", "settle", ["fraud.assess", "shipping.quote"]),
        ("pricing", "settle", ["pricing.tax", "pricing.discount"]),
    ],
    "orders": [
        ("core data", "fail fast", ["users.fetch", "inventory.check"]),
        ("verification", "settle", ["payments.validate", "fraud.screen"]),
        ("fulfilment", "commit, parallel", ["shipping.quote", "inventory.reserve (undo: inventory.release)"]),
    ],
    "feed": [
        ("profile", "settle", ["users.fetch", "social.friends", "users.settings"]),
        ("content", "settle", ["social.posts", "social.notifications optional"]),
        ("engagement", "settle", ["social.engagement optional", "social.recommendations optional"]),
    ],
    "transfers": [
        ("account data", "fail fast", ["accounts.fetch", "accounts.history", "fraud.risk_profile"]),
        ("checks", "settle", ["fraud.check_transfer", "fraud.check_compliance"]),
        (
            "settlement",
            "commit, in order",
            [
                "payments.execute_transfer (undo: payments.reverse_transfer)",
                "accounts.post (undo: accounts.reverse_posting)",
            ],
        ),
    ],
    "purchases": [
        ("identity", "fail fast", ["auth.verify", "users.fetch"]),
        ("order", "commit, parallel", ["orders.create (undo: orders.cancel)", "inventory.check"]),
        ("announce", "settle", ["notifications.send best effort", "analytics.track best effort"]),
    ],
}
REFUSALS: Final = {
    "users.fetch": [404],
    "inventory.check": [404, 409],
    "payments.validate": [404, 422],
    "fraud.assess": [403],
    "shipping.quote": [422],
    "pricing.tax": [],
    "pricing.discount": [404, 409],
    "fraud.screen": [403],
    "inventory.reserve": [404, 409],
    "social.friends": [],
    "users.settings": [],
    "social.posts": [],
    "social.notifications": [],
    "social.engagement": [],
    "social.recommendations": [],
    "accounts.fetch": [404],
    "accounts.history": [],
    "fraud.risk_profile": [],
    "fraud.check_transfer": [403],
    "fraud.check_compliance": [403],
    "payments.execute_transfer": [],
    "accounts.post": [404, 409],
    "auth.verify": [401],
    "orders.create": [],
    "notifications.send": [],
    "analytics.track": [],
}
LATENCIES: Final = {
    "users.fetch": 0.05,
    "inventory.check": 0.05,
    "payments.validate": 0.05,
    "fraud.assess": 0.03,
    "shipping.quote": 0.04,
    "pricing.tax": 0.02,
    "pricing.discount": 0.02,
    "fraud.screen": 0.03,
    "inventory.reserve": 0.025,
    "social.friends": 0.05,
    "users.settings": 0.03,
    "social.posts": 0.04,
    "social.notifications": 0.03,
    "social.engagement": 0.03,
    "social.recommendations": 0.04,
    "accounts.fetch": 0.05,
    "accounts.history": 0.04,
    "fraud.risk_profile": 0.05,
    "fraud.check_transfer": 0.03,
    "fraud.check_compliance": 0.04,
    "payments.execute_transfer": 0.04,
    "accounts.post": 0.04,
    "auth.verify": 0.03,
    "orders.create": 0.04,
    "notifications.send": 0.02,
    "analytics.track": 0.02,
}
CRITICAL: Final = {"checkout": 0.11, "orders": 0.14, "feed": 0.13, "transfers": 0.17, "purchases": 0.12}

every_pipeline = pytest.mark.parametrize("name", STAGES)


@pytest_asyncio.fixture
async def listed() -> dict[str, Any]:
    """Return the pipelines in `GET /pipelines`, by name."""
    app = create_app(transport=FailingTransport())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        response = await client.get("/pipelines")
    return {pipeline["name"]: pipeline for pipeline in response.json()["pipelines"]}


def format_call(call: dict[str, Any]) -> str:
    """Return *call* in the notation of `STAGES`."""
    assert (call["kind"] == "write") is ("undo" in call or call["need"] == "best effort")
    need = "" if call["need"] == "required" else f" {call['need']}"
    return f"{call['name']}{need}" + (f" (undo: {call['undo']})" if "undo" in call else "")


def get_pipeline(app: Gateway, name: str) -> DescribedPipeline:
    return next(pipeline for pipeline in app.pipelines if pipeline.plan.name == name)


def get_plan(app: Gateway, name: str) -> Plan:
    return get_pipeline(app, name).plan


def get_responses(app: Gateway, name: str) -> dict[str, Any]:
    """Return the OpenAPI responses of the pipeline's route."""
    pipeline = get_pipeline(app, name).description
    responses: dict[str, Any] = app.openapi()["paths"][pipeline["path"]][pipeline["method"].lower()][
        "responses"
    ]
    return responses


def list_problems(app: Gateway, name: str) -> Iterator[dict[str, Any]]:
    """Yield the example problems of the pipeline's route."""
    for response in get_responses(app, name).values():
        for example in response["content"].get("application/problem+json", {}).get("examples", {}).values():
            yield example["value"]


def list_parts(problem: dict[str, Any]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = problem.get("errors", [problem])
    return parts


async def test_sample_has_five_pipelines(listed: dict[str, Any]) -> None:
    assert [(pipeline["method"], pipeline["path"], pipeline["name"]) for pipeline in listed.values()] == [
        ("POST", "/checkout", "checkout"),
        ("POST", "/orders", "orders"),
        ("GET", "/feed/{user_id}", "feed"),
        ("POST", "/transfers", "transfers"),
        ("POST", "/purchases", "purchases"),
    ]


@every_pipeline
async def test_pipeline_lists_expected_stages_and_calls(listed: dict[str, Any], name: str) -> None:
    assert [
        (stage["name"], stage["policy"], [format_call(call) for call in stage["calls"]])
        for stage in listed[name]["stages"]
    ] == STAGES[name]


@every_pipeline
async def test_only_announce_stage_follows_commit(listed: dict[str, Any], name: str) -> None:
    after = [stage["name"] for stage in listed[name]["stages"] if stage["after_commit"]]

    assert after == (["announce"] if name == "purchases" else [])


@every_pipeline
async def test_listed_refusals_match_services(listed: dict[str, Any], name: str) -> None:
    for stage in listed[name]["stages"]:
        for call in stage["calls"]:
            assert [refusal["status"] for refusal in call["refusals"]] == REFUSALS[call["name"]]


@every_pipeline
async def test_listed_statuses_match_openapi(listed: dict[str, Any], name: str) -> None:
    pipeline = listed[name]
    operation = create_app(transport=FailingTransport()).openapi()["paths"][pipeline["path"]][
        pipeline["method"].lower()
    ]

    assert pipeline["statuses"] == sorted(map(int, operation["responses"]))
    assert (202 in pipeline["statuses"]) is (name in {"orders", "transfers", "purchases"})


@every_pipeline
def test_documented_failures_match_planned_calls(name: str) -> None:
    app = create_app(transport=FailingTransport())
    plan, problems = get_plan(app, name), [*list_problems(app, name)]

    sources = {part["source"] for problem in problems for part in list_parts(problem) if "source" in part}
    assert sources <= {call.name for call in plan.calls}
    refused = {(call.name, kind.code) for call in plan.calls for kind in call.refusals}
    assert refused <= {(problem.get("source"), problem["code"]) for problem in problems}


@every_pipeline
def test_documented_aggregate_has_calls_of_one_stage(name: str) -> None:
    app = create_app(transport=FailingTransport())
    stages = [
        [call.name for call in stage.calls]
        for stage in get_plan(app, name).stages
        if stage.policy in {SETTLE, CONCURRENT}
    ]

    for problem in list_problems(app, name):
        if "errors" in problem:
            sources = [part["source"] for part in problem["errors"]]
            assert sources in [[call for call in calls if call in sources] for calls in stages]


@every_pipeline
def test_only_commit_failures_have_execution_id(
    name: str,
) -> None:
    app = create_app(transport=FailingTransport())
    commits = [stage for stage in get_plan(app, name).stages if isinstance(stage.policy, CommitPolicy)]
    calls = [call for stage in commits for call in stage.calls]

    problems = [problem for problem in list_problems(app, name) if "execution_id" in problem]
    stuck = {problem["detail"].rpartition(" ")[2] for problem in problems if problem["code"] == "stuck"}
    assert stuck <= {call.name for call in calls if call.undo}
    assert bool(stuck) is bool(commits)
    others = {
        part["source"] for problem in problems if problem["code"] != "stuck" for part in list_parts(problem)
    }
    assert others <= {call.name for call in calls}


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("checkout", ["core data", "assessment"]),
        ("orders", ["verification", "fulfilment"]),
        ("transfers", ["checks"]),
        ("feed", []),
        ("purchases", []),
    ],
)
def test_stage_with_two_refusing_calls_has_207_example(name: str, stages: list[str]) -> None:
    """A fail-fast stage has no example of a 207, because it reports a single failure."""
    response = get_responses(create_app(transport=FailingTransport()), name).get("207")

    examples = [] if response is None else [*response["content"]["application/problem+json"]["examples"]]
    assert examples == [f"aggregate: {stage}" for stage in stages]


@every_pipeline
def test_invalid_request_example_has_route_fields(name: str) -> None:
    app = create_app(transport=FailingTransport())
    fields = {
        violation["field"]
        for problem in list_problems(app, name)
        for violation in problem.get("violations", ())
    }

    assert (fields - {""} == {"user_id"}) is (name == "feed")
    assert "adress" not in fields


@every_pipeline
def test_critical_path_has_expected_duration(name: str) -> None:
    plan = get_plan(create_app(transport=FailingTransport()), name)

    assert schedule(plan, LATENCIES, 0.5).seconds == pytest.approx(CRITICAL[name])
