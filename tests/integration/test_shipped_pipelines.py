"""The pipelines that the gateway ships, described: as the contract has them."""

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


class Nobody(httpx.AsyncBaseTransport):
    """Fails the test that asks a service."""

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
    """Give what `GET /pipelines` says, by name."""
    app = create_app(transport=Nobody())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        answer = await client.get("/pipelines")
    return {one["name"]: one for one in answer.json()["pipelines"]}


def in_words(call: dict[str, Any]) -> str:
    """Say of a call what the contract's tables say of it."""
    assert (call["kind"] == "write") is ("undo" in call or call["need"] == "best effort")
    need = "" if call["need"] == "required" else f" {call['need']}"
    return f"{call['name']}{need}" + (f" (undo: {call['undo']})" if "undo" in call else "")


def described(app: Gateway, name: str) -> DescribedPipeline:
    return next(one for one in app.pipelines if one.plan.name == name)


def plan_of(app: Gateway, name: str) -> Plan:
    return described(app, name).plan


def responses_of(app: Gateway, name: str) -> dict[str, Any]:
    """Give what OpenAPI says that the pipeline can be answered with."""
    about = described(app, name).description
    said: dict[str, Any] = app.openapi()["paths"][about["path"]][about["method"].lower()]["responses"]
    return said


def problems_of(app: Gateway, name: str) -> Iterator[dict[str, Any]]:
    """Give the problems that OpenAPI shows of the pipeline."""
    for answer in responses_of(app, name).values():
        for example in answer["content"].get("application/problem+json", {}).get("examples", {}).values():
            yield example["value"]


def parts_of(problem: dict[str, Any]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = problem.get("errors", [problem])
    return parts


async def test_they_are_the_five_of_the_contract(listed: dict[str, Any]) -> None:
    assert [(one["method"], one["path"], one["name"]) for one in listed.values()] == [
        ("POST", "/checkout", "checkout"),
        ("POST", "/orders", "orders"),
        ("GET", "/feed/{user_id}", "feed"),
        ("POST", "/transfers", "transfers"),
        ("POST", "/purchases", "purchases"),
    ]


@every_pipeline
async def test_each_has_the_stages_policies_and_calls_of_the_contract(
    listed: dict[str, Any], name: str
) -> None:
    assert [
        (stage["name"], stage["policy"], [in_words(call) for call in stage["calls"]])
        for stage in listed[name]["stages"]
    ] == STAGES[name]


@every_pipeline
async def test_only_what_follows_a_commit_is_said_to(listed: dict[str, Any], name: str) -> None:
    after = [stage["name"] for stage in listed[name]["stages"] if stage["after_commit"]]

    assert after == (["announce"] if name == "purchases" else [])


@every_pipeline
async def test_each_call_is_refused_as_its_service_declares(listed: dict[str, Any], name: str) -> None:
    for stage in listed[name]["stages"]:
        for call in stage["calls"]:
            assert [refusal["status"] for refusal in call["refusals"]] == REFUSALS[call["name"]]


@every_pipeline
async def test_its_statuses_are_those_of_the_documentation(listed: dict[str, Any], name: str) -> None:
    one = listed[name]
    operation = create_app(transport=Nobody()).openapi()["paths"][one["path"]][one["method"].lower()]

    assert one["statuses"] == sorted(map(int, operation["responses"]))
    assert (202 in one["statuses"]) is (name in {"orders", "transfers", "purchases"})


@every_pipeline
def test_every_failure_in_its_documentation_is_of_a_call_that_it_makes(name: str) -> None:
    app = create_app(transport=Nobody())
    plan, said = plan_of(app, name), [*problems_of(app, name)]

    named = {part["source"] for problem in said for part in parts_of(problem) if "source" in part}
    assert named <= {call.name for call in plan.calls}
    refused = {(call.name, kind.code) for call in plan.calls for kind in call.refusals}
    assert refused <= {(problem.get("source"), problem["code"]) for problem in said}


@every_pipeline
def test_failures_that_it_documents_together_are_of_one_stage_in_the_order_of_its_calls(name: str) -> None:
    app = create_app(transport=Nobody())
    gathering = [
        [call.name for call in stage.calls]
        for stage in plan_of(app, name).stages
        if stage.policy in {SETTLE, CONCURRENT}
    ]

    for problem in problems_of(app, name):
        if "errors" in problem:
            named = [part["source"] for part in problem["errors"]]
            assert named in [[call for call in calls if call in named] for calls in gathering]


@every_pipeline
def test_what_it_documents_as_stuck_is_a_write_and_what_failed_in_its_commit_can_be_looked_up(
    name: str,
) -> None:
    app = create_app(transport=Nobody())
    commits = [stage for stage in plan_of(app, name).stages if isinstance(stage.policy, CommitPolicy)]
    calls = [call for stage in commits for call in stage.calls]

    said = [problem for problem in problems_of(app, name) if "execution_id" in problem]
    stuck = {problem["detail"].rpartition(" ")[2] for problem in said if problem["code"] == "stuck"}
    assert stuck <= {call.name for call in calls if call.undo}
    assert bool(stuck) is bool(commits)
    others = {part["source"] for one in said if one["code"] != "stuck" for part in parts_of(one)}
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
def test_207_is_documented_for_each_stage_of_which_two_calls_can_be_refused(
    name: str, stages: list[str]
) -> None:
    said = responses_of(create_app(transport=Nobody()), name).get("207")

    shown = [] if said is None else [*said["content"]["application/problem+json"]["examples"]]
    assert shown == [f"aggregate: {stage}" for stage in stages]


@every_pipeline
def test_a_request_that_it_documents_as_not_valid_is_one_of_its_own(name: str) -> None:
    app = create_app(transport=Nobody())
    fields = {violation["field"] for one in problems_of(app, name) for violation in one.get("violations", ())}

    assert (fields - {""} == {"user_id"}) is (name == "feed")
    assert "adress" not in fields


@every_pipeline
def test_with_the_latencies_of_the_contract_the_critical_path_is_that_of_the_contract(name: str) -> None:
    plan = plan_of(create_app(transport=Nobody()), name)

    assert schedule(plan, LATENCIES, 0.5).seconds == pytest.approx(CRITICAL[name])
