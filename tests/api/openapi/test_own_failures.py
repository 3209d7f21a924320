"""Own errors in the OpenAPI document and in `GET /pipelines`."""

from typing import Any

import pytest
import schemathesis

from gateway.api.openapi.components import build_components
from gateway.api.openapi.error_examples import build_generic_error, build_refusal, find_missing_example
from gateway.api.openapi.failure_examples import exemplify_plan, exemplify_promise
from gateway.api.openapi.responses import build_responses, list_statuses
from gateway.api.openapi.route_spec import RouteSpec
from gateway.plan.plan import Need, Plan, PlannedCall, PlannedStage
from gateway.railway import SETTLE, Conflict, Failure, Invalid, NotFound, RateLimited
from tests.api.openapi_document import check_instance, get_example_problems, list_examples, list_media_types
from tests.api.points_gateway import InsufficientPoints, RewardEnded, build_points_gateway


class Unexampled(Conflict, code="unexampled"):
    """An error whose member has no example."""

    size: int


class Throttled(RateLimited, code="throttled"):
    """The quota is used up.

    More text.
    """

    plan: str = "free"


CALL = PlannedCall("points.spend", refusals=(InsufficientPoints,))


@pytest.fixture
def document() -> dict[str, Any]:
    return build_points_gateway().openapi()


def plan_calls(*calls: PlannedCall) -> Plan:
    return Plan("spend", "", (PlannedStage("one", SETTLE, calls),))


def build_spec(*promised: type[Failure], plan: Plan | None = None) -> RouteSpec:
    return RouteSpec(method="GET", path="/spend", pipeline="spend", promised=promised, plan=plan)


def get_responses(document: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = document["paths"]["/spend"]["post"]["responses"]
    return responses


def test_document_with_own_errors_is_valid(document: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(document).validate()
    for _, content in list_media_types(document):
        for example in list_examples(document, content):
            check_instance(document, content["schema"], example)


def test_own_error_has_a_schema_with_its_members(document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["InsufficientPointsProblem"]

    assert schema["properties"]["code"]["const"] == "insufficient-points"
    assert schema["properties"]["balance"]["type"] == "integer"
    assert schema["required"][-2:] == ["balance", "shortfall"]
    assert {"type", "title", "status", "detail", "request_id"} <= {*schema["required"]}
    assert schema["description"].startswith("The account has fewer points")
    assert "Shortfall" in document["components"]["schemas"]
    assert "InsufficientPoints" not in document["components"]["schemas"]


@pytest.mark.parametrize(("status", "code"), [("409", "insufficient-points"), ("410", "reward-ended")])
def test_response_is_documented_by_own_schema_first(document: dict[str, Any], status: str, code: str) -> None:
    response = get_responses(document)[status]

    schema = response["content"]["application/problem+json"]["schema"]
    first, *_ = schema.get("anyOf", [schema])
    assert first["$ref"].endswith("".join(map(str.capitalize, code.split("-"))) + "Problem")
    assert f"`{code}`: The " in response["description"]


def test_own_refusal_is_shown_with_its_members(document: dict[str, Any]) -> None:
    example = get_example_problems(get_responses(document)["409"])["points.spend: insufficient-points"]

    assert (example["code"], example["balance"]) == ("insufficient-points", 12)
    assert example["detail"] == "points.spend was refused: insufficient points"


def test_own_error_of_the_pipeline_is_shown(document: dict[str, Any]) -> None:
    example = get_example_problems(get_responses(document)["410"])["reward-ended"]

    assert (example["detail"], example["ended_on"]) == ("The reward is no longer offered", "2026-03-01")


def test_pipelines_list_codes_of_own_refusals() -> None:
    (described,) = build_points_gateway().pipelines

    (call, _) = described.description["stages"][0]["calls"]
    assert call["refusals"] == [
        {"status": 404, "code": "not-found"},
        {"status": 409, "code": "insufficient-points"},
    ]


def test_declared_error_stands_for_its_base_class() -> None:
    """A service declares every `Conflict` of the run, so none comes from the pipeline itself."""
    names = [name for name, _ in exemplify_plan((Conflict,), plan_calls(CALL))]

    assert names == ["points.spend: insufficient-points"]


def test_promised_own_error_is_not_an_example_of_its_base_class() -> None:
    examples = dict(exemplify_plan((Conflict, InsufficientPoints), plan_calls(CALL)))

    assert examples["conflict"] == Conflict()
    assert type(examples["points.spend: insufficient-points"]) is InsufficientPoints


def test_refusal_of_optional_call_is_not_documented() -> None:
    optional = PlannedCall("points.spend", need=Need.OPTIONAL, refusals=(InsufficientPoints,))

    assert build_spec(Conflict, plan=plan_calls(optional)).own_errors == ()
    assert build_spec(Conflict, plan=plan_calls(CALL)).own_errors == (InsufficientPoints,)
    assert build_spec(NotFound, plan=plan_calls(CALL)).own_errors == ()


def test_promise_shows_own_errors() -> None:
    ((name, error),) = exemplify_promise((RewardEnded,))

    assert (name, error) == ("reward-ended", build_generic_error(RewardEnded))


def test_own_error_without_example_keeps_its_status() -> None:
    unexampled = PlannedCall("points.spend", refusals=(Unexampled,))
    specs = build_spec(Unexampled), build_spec(Unexampled, plan=plan_calls(unexampled))

    for spec in specs:
        assert 409 in list_statuses(spec)
        response: dict[str, Any] = {**build_responses(spec)["409"]}
        media = response["content"]["application/problem+json"]
        assert media == {"schema": {"$ref": "#/components/schemas/UnexampledProblem"}}
        assert response["description"] == "`unexampled`: An error whose member has no example."


def test_refusal_without_example_is_not_shown() -> None:
    unexampled = PlannedCall("points.spend", refusals=(Unexampled,))

    assert [*exemplify_plan((Conflict,), plan_calls(unexampled))] == [("conflict", Conflict())]


def test_missing_example_names_the_member() -> None:
    assert find_missing_example(Unexampled) == "Size has no example"
    assert find_missing_example(InsufficientPoints) is None
    assert find_missing_example(Conflict) is None


def test_example_has_members_of_its_family() -> None:
    error = build_generic_error(Throttled)

    assert error == Throttled("The quota is used up", retry_after=1.0, plan="free")


def test_example_of_field_refusal_names_the_field() -> None:
    refusal = build_refusal(Invalid.at("payment_id"), CALL)

    assert isinstance(refusal, Invalid)
    assert [field for field, _ in refusal.violations] == ["payment_id"]


def test_components_without_own_errors_have_no_other_schema() -> None:
    assert build_components()["schemas"].keys() == {
        "AggregateProblem",
        "Part",
        "Problem",
        "Running",
        "Violation",
    }
