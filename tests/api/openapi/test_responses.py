"""Responses and statuses of a pipeline route, from its `RouteSpec`."""

from dataclasses import replace
from typing import Any, Final, get_args

import pytest

from gateway.api.openapi.error_examples import EXAMPLES
from gateway.api.openapi.responses import (
    build_failure_response,
    build_responses,
    declare_failures,
    list_statuses,
)
from gateway.api.openapi.route_spec import RouteSpec
from gateway.api.problems.problem import map_to_status
from gateway.plan.plan import Kind, Plan, PlannedCall, PlannedStage
from gateway.railway import (
    CONCURRENT,
    FAIL_FAST,
    SETTLE,
    Aggregate,
    BadAnswer,
    Conflict,
    Failure,
    Fault,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Stuck,
    TimedOut,
    Unauthorized,
    Unavailable,
)
from tests.api.openapi_document import get_example_problems

INVALID: Final = Invalid("The request is not valid", violations=(("name", ("is required",)),))
SPEC: Final = RouteSpec(
    method="POST", path="/lamps/{name}", pipeline="light", has_body=True, invalid_request=INVALID
)
UPSTREAM_FAULTS: Final = (BadAnswer, Unavailable, TimedOut)
REFUSALS: Final = [400, 408, 413, 415, 422, 429, 500, 503]
FIND: Final = PlannedCall("lamps.find", refusals=(NotFound,))
LIGHT: Final = PlannedCall("lamps.light", Kind.WRITE, undo="lamps.dim", refusals=(Conflict,))


def add_promise(*promised: type[Failure], spec: RouteSpec = SPEC) -> RouteSpec:
    return replace(spec, promised=promised)


def add_plan(spec: RouteSpec, *stages: PlannedStage) -> RouteSpec:
    return replace(spec, plan=Plan("light", "", stages))


def build(spec: RouteSpec) -> dict[str, Any]:
    return {**build_responses(spec)}


def get_examples(spec: RouteSpec, code: int) -> dict[str, Any]:
    return get_example_problems(build(spec)[str(code)])


def test_every_route_can_refuse_a_request() -> None:
    assert list_statuses(SPEC) == [200, *REFUSALS]


def test_promised_errors_add_statuses() -> None:
    spec = add_promise(*get_args(Fault), Aggregate)
    expected = {map_to_status(EXAMPLES[kind]) for kind in get_args(Fault)} | {*REFUSALS, 200, 202, 207}

    assert {*list_statuses(spec)} == expected


def test_responses_are_sorted_by_status() -> None:
    spec = add_promise(*get_args(Fault), Aggregate, spec=replace(SPEC, success_status=201))

    assert [*map(int, build(spec))] == list_statuses(spec)
    assert list_statuses(spec) == sorted(list_statuses(spec))


def test_statuses_include_declared_responses() -> None:
    assert list_statuses(replace(SPEC, declared_statuses=(418,))) == sorted([200, 418, *REFUSALS])


def test_success_has_status_and_example_of_spec() -> None:
    spec = replace(SPEC, success_status=201, success_example={"size": None})

    assert build(spec)["201"]["content"] == {"application/json": {"example": {"size": None}}}


def test_success_without_example_has_no_content() -> None:
    assert "content" not in build(SPEC)["200"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [("404", ["Problem"]), ("207", ["AggregateProblem"]), ("503", ["AggregateProblem", "Problem"])],
)
def test_schema_is_a_union_only_for_both_kinds(code: str, expected: list[str]) -> None:
    responses = build(add_promise(NotFound, Conflict, Unavailable, Aggregate))
    schema = responses[code]["content"]["application/problem+json"]["schema"]

    names = [part["$ref"].rpartition("/")[2] for part in schema.get("anyOf", [schema])]
    assert names == expected


def test_only_success_and_202_of_writing_route_have_links() -> None:
    linked = [code for code, response in build(add_promise(Conflict, Stuck)).items() if "links" in response]

    assert linked == ["200", "202"]
    assert not [response for response in build(SPEC).values() if "links" in response]


def test_upstream_faults_alone_are_never_207() -> None:
    responses = build(add_promise(*UPSTREAM_FAULTS, Aggregate))

    assert "207" not in responses
    for code in ("502", "503", "504"):
        assert "aggregate" in get_example_problems(responses[code])


def test_route_without_body_has_no_body_refusals() -> None:
    spec = replace(SPEC, has_body=False)

    assert list_statuses(spec) == [200, *(code for code in REFUSALS if code != 415)]
    assert [*get_examples(spec, 400)] == ["invalid-header"]
    assert "malformed" not in build(spec)["400"]["description"]


def test_route_without_fields_has_no_422() -> None:
    assert 422 not in list_statuses(replace(SPEC, invalid_request=None))


def test_invalid_request_example_names_fields() -> None:
    assert get_examples(SPEC, 422)["invalid-request"]["violations"] == [
        {"field": "name", "messages": ["is required"]}
    ]


@pytest.mark.parametrize(
    ("code", "names"),
    [
        (400, ["malformed", "invalid-header"]),
        (422, ["invalid-request", "idempotency-mismatch", "invalid"]),
        (429, ["rate-limited"]),
        (500, ["unexpected", "stuck"]),
        (503, ["overloaded", "unavailable", "aggregate"]),
    ],
)
def test_status_has_an_example_for_each_reason(code: int, names: list[str]) -> None:
    assert [*get_examples(add_promise(Invalid, Unavailable, Stuck, Aggregate), code)] == names


def test_problem_instance_is_route_path() -> None:
    responses = build(add_promise(*get_args(Fault), Aggregate)).values()
    media = [response["content"] for response in responses if "content" in response]
    examples = [kind["examples"] for kinds in media for kind in kinds.values() if "examples" in kind]

    assert examples
    for problem in (example["value"] for named in examples for example in named.values()):
        assert problem["instance"] == "/lamps/name"


def test_reading_route_documents_headers() -> None:
    responses = build(add_promise(Unauthorized))

    for response in responses.values():
        assert response["headers"].keys() >= {"Server-Timing", "Gateway-Completed", "RateLimit"}
        assert "Idempotent-Replayed" not in response["headers"]
    assert "WWW-Authenticate" in responses["401"]["headers"]
    assert "Retry-After" in responses["503"]["headers"]


def test_writing_route_documents_headers() -> None:
    responses = build(add_promise(Conflict, Stuck))

    assert responses["200"]["headers"].keys() >= {"Location", "Idempotent-Replayed"}
    assert responses["202"]["headers"].keys() >= {"Location", "Retry-After"}
    assert "Idempotent-Replayed" in responses["409"]["headers"]


def test_only_writing_route_has_202() -> None:
    assert "202" not in build(add_promise(Conflict, Aggregate))
    accepted = build(add_promise(Stuck))["202"]["content"]["application/json"]
    assert accepted["example"] == {
        "execution_id": "exe-1c0f6f0e2b7d4a1f8c3e9d7a6b5c4d3e",
        "pipeline": "light",
        "state": "running",
    }


def test_examples_from_plan_name_refusable_calls() -> None:
    spec = add_plan(add_promise(NotFound), PlannedStage("find", SETTLE, (FIND,)))

    assert {name: problem["source"] for name, problem in get_examples(spec, 404).items()} == {
        "lamps.find": "lamps.find"
    }


@pytest.mark.parametrize(("policy", "expected"), [(SETTLE, True), (FAIL_FAST, False)])
def test_207_needs_two_refusable_calls_in_a_stage(policy: Any, *, expected: bool) -> None:  # noqa: ANN401 - of either enum
    two = PlannedStage("find", policy, (FIND, replace(FIND, name="lamps.look")))

    assert (207 in list_statuses(add_plan(add_promise(NotFound, Aggregate), two))) is expected


def test_207_is_listed_for_equal_refusals() -> None:
    """A stage in which every call is refused as forbidden is a 207 too."""
    call = PlannedCall("lamps.find", refusals=(Forbidden,))
    two = PlannedStage("find", SETTLE, (call, replace(call, name="lamps.look")))

    assert 207 in list_statuses(add_plan(add_promise(Forbidden, Aggregate), two))


def test_promised_status_outside_plan_has_example() -> None:
    spec = add_plan(add_promise(Gone, Unavailable, Stuck), PlannedStage("find", SETTLE, ()))

    assert [*get_examples(spec, 410)] == ["gone"]
    assert [*get_examples(spec, 500)] == ["unexpected", "stuck"]
    assert "unavailable" in get_examples(spec, 503)


def test_commit_failures_have_execution_id() -> None:
    spec = add_plan(
        add_promise(NotFound, Conflict, Stuck),
        PlannedStage("find", SETTLE, (FIND,)),
        PlannedStage("do", CONCURRENT, (LIGHT,)),
    )

    assert get_examples(spec, 409)["lamps.light"]["execution_id"].startswith("exe-")
    assert get_examples(spec, 500)["stuck"]["execution_id"].startswith("exe-")
    assert "execution_id" not in get_examples(spec, 404)["lamps.find"]


def test_stuck_without_plan_has_execution_id() -> None:
    assert get_examples(add_promise(Stuck), 500)["stuck"]["execution_id"].startswith("exe-")


def test_failure_response_has_example_and_headers() -> None:
    response = build_failure_response(Unauthorized("A token is required"), "/things/{name}")

    problem = get_example_problems(response)["unauthorized"]
    assert (problem["detail"], problem["instance"]) == ("A token is required", "/things/name")
    assert response["headers"].keys() == {"WWW-Authenticate"}


def test_declared_failures_are_keyed_by_status() -> None:
    declared = declare_failures("/things", NotFound("a"), Conflict("b"))

    assert {code: [*get_example_problems(response)] for code, response in declared.items()} == {
        404: ["not-found"],
        409: ["conflict"],
    }
