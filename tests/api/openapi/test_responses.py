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
from tests.api.openapi_document import problems

INVALID: Final = Invalid("The request is not valid", violations=(("name", ("is required",)),))
SPEC: Final = RouteSpec(
    method="POST", path="/lamps/{name}", pipeline="light", has_body=True, invalid_request=INVALID
)
UPSTREAM_FAULTS: Final = (BadAnswer, Unavailable, TimedOut)
OWN: Final = [400, 408, 413, 415, 422, 429, 500, 503]
FIND: Final = PlannedCall("lamps.find", refusals=(NotFound,))
LIGHT: Final = PlannedCall("lamps.light", Kind.WRITE, undo="lamps.dim", refusals=(Conflict,))


def promising(*promised: type[Failure], spec: RouteSpec = SPEC) -> RouteSpec:
    return replace(spec, promised=promised)


def planning(spec: RouteSpec, *stages: PlannedStage) -> RouteSpec:
    return replace(spec, plan=Plan("light", "", stages))


def built(spec: RouteSpec) -> dict[str, Any]:
    return {**build_responses(spec)}


def shown(spec: RouteSpec, code: int) -> dict[str, Any]:
    return problems(built(spec)[str(code)])


def test_a_route_can_always_refuse_a_request() -> None:
    assert list_statuses(SPEC) == [200, *OWN]


def test_every_promised_error_has_its_status() -> None:
    spec = promising(*get_args(Fault), Aggregate)
    wanted = {map_to_status(EXAMPLES[kind]) for kind in get_args(Fault)} | {*OWN, 200, 202, 207}

    assert {*list_statuses(spec)} == wanted


def test_responses_are_in_ascending_order() -> None:
    spec = promising(*get_args(Fault), Aggregate, spec=replace(SPEC, success_status=201))

    assert [*map(int, built(spec))] == list_statuses(spec)
    assert list_statuses(spec) == sorted(list_statuses(spec))


def test_statuses_include_those_that_the_route_declares_itself() -> None:
    assert list_statuses(replace(SPEC, declared_statuses=(418,))) == sorted([200, 418, *OWN])


def test_success_has_the_status_and_example_of_the_spec() -> None:
    spec = replace(SPEC, success_status=201, success_example={"size": None})

    assert built(spec)["201"]["content"] == {"application/json": {"example": {"size": None}}}


def test_success_without_an_example_has_no_content() -> None:
    assert "content" not in built(SPEC)["200"]


def test_upstream_faults_alone_are_never_207() -> None:
    responses = built(promising(*UPSTREAM_FAULTS, Aggregate))

    assert "207" not in responses
    for code in ("502", "503", "504"):
        assert "aggregate" in problems(responses[code])


def test_a_route_without_a_body_has_no_refusal_of_bodies() -> None:
    spec = replace(SPEC, has_body=False)

    assert list_statuses(spec) == [200, *(code for code in OWN if code != 415)]
    assert [*shown(spec, 400)] == ["invalid-header"]
    assert "malformed" not in built(spec)["400"]["description"]


def test_a_route_without_fields_has_no_422() -> None:
    assert 422 not in list_statuses(replace(SPEC, invalid_request=None))


def test_an_invalid_request_shows_the_fields_of_the_route() -> None:
    assert shown(SPEC, 422)["invalid-request"]["violations"] == [
        {"field": "name", "messages": ["is required"]}
    ]


@pytest.mark.parametrize(
    ("code", "names"),
    [
        (400, ["malformed", "invalid-header"]),
        (422, ["invalid-request", "idempotency-mismatch", "invalid"]),
        (429, ["too-many-requests"]),
        (500, ["unexpected", "stuck"]),
        (503, ["too-much-to-do", "unavailable", "aggregate"]),
    ],
)
def test_a_status_has_an_example_for_each_reason(code: int, names: list[str]) -> None:
    assert [*shown(promising(Invalid, Unavailable, Stuck, Aggregate), code)] == names


def test_every_problem_shows_the_path_as_its_instance() -> None:
    responses = built(promising(*get_args(Fault), Aggregate)).values()
    media = [response["content"] for response in responses if "content" in response]
    examples = [kind["examples"] for kinds in media for kind in kinds.values() if "examples" in kind]

    assert examples
    for problem in (example["value"] for named in examples for example in named.values()):
        assert problem["instance"] == "/lamps/name"


def test_headers_of_a_route_that_reads() -> None:
    responses = built(promising(Unauthorized))

    for response in responses.values():
        assert response["headers"].keys() >= {"Server-Timing", "Gateway-Completed", "RateLimit"}
        assert "Idempotent-Replayed" not in response["headers"]
    assert "WWW-Authenticate" in responses["401"]["headers"]
    assert "Retry-After" in responses["503"]["headers"]


def test_headers_of_a_route_that_writes() -> None:
    responses = built(promising(Conflict, Stuck))

    assert responses["200"]["headers"].keys() >= {"Location", "Idempotent-Replayed"}
    assert responses["202"]["headers"].keys() >= {"Location", "Retry-After"}
    assert "Idempotent-Replayed" in responses["409"]["headers"]


def test_only_a_route_that_writes_accepts() -> None:
    assert "202" not in built(promising(Conflict, Aggregate))
    accepted = built(promising(Stuck))["202"]["content"]["application/json"]
    assert accepted["example"] == {
        "execution_id": "exe-1c0f6f0e2b7d4a1f8c3e9d7a6b5c4d3e",
        "pipeline": "light",
        "state": "running",
    }


def test_a_plan_names_the_calls_that_can_be_refused() -> None:
    spec = planning(promising(NotFound), PlannedStage("find", SETTLE, (FIND,)))

    assert {name: problem["source"] for name, problem in shown(spec, 404).items()} == {
        "lamps.find": "lamps.find"
    }


@pytest.mark.parametrize(("policy", "wanted"), [(SETTLE, True), (FAIL_FAST, False)])
def test_207_needs_a_stage_with_two_calls_that_can_be_refused(policy: Any, *, wanted: bool) -> None:  # noqa: ANN401 - either enum
    two = PlannedStage("find", policy, (FIND, replace(FIND, name="lamps.look")))

    assert (207 in list_statuses(planning(promising(NotFound, Aggregate), two))) is wanted


def test_207_of_a_plan_needs_no_example_without_it() -> None:
    """A stage whose calls are all refused as forbidden is a 207 too."""
    call = PlannedCall("lamps.find", refusals=(Forbidden,))
    two = PlannedStage("find", SETTLE, (call, replace(call, name="lamps.look")))

    assert 207 in list_statuses(planning(promising(Forbidden, Aggregate), two))


def test_a_promised_status_that_the_plan_lacks_keeps_its_example() -> None:
    spec = planning(promising(Gone, Unavailable, Stuck), PlannedStage("find", SETTLE, ()))

    assert [*shown(spec, 410)] == ["gone"]
    assert [*shown(spec, 500)] == ["unexpected", "stuck"]
    assert "unavailable" in shown(spec, 503)


def test_failures_of_a_commit_carry_the_execution_id() -> None:
    spec = planning(
        promising(NotFound, Conflict, Stuck),
        PlannedStage("find", SETTLE, (FIND,)),
        PlannedStage("do", CONCURRENT, (LIGHT,)),
    )

    assert shown(spec, 409)["lamps.light"]["execution_id"].startswith("exe-")
    assert shown(spec, 500)["stuck"]["execution_id"].startswith("exe-")
    assert "execution_id" not in shown(spec, 404)["lamps.find"]


def test_stuck_carries_the_execution_id_without_a_plan() -> None:
    assert shown(promising(Stuck), 500)["stuck"]["execution_id"].startswith("exe-")


def test_responses_of_a_route_that_runs_no_pipeline() -> None:
    response = build_failure_response(Unauthorized("A token is required"), "/things/{name}")

    problem = problems(response)["unauthorized"]
    assert (problem["detail"], problem["instance"]) == ("A token is required", "/things/name")
    assert response["headers"].keys() == {"WWW-Authenticate"}


def test_declared_failures_are_keyed_by_status() -> None:
    declared = declare_failures("/things", NotFound("a"), Conflict("b"))

    assert {code: [*problems(response)] for code, response in declared.items()} == {
        404: ["not-found"],
        409: ["conflict"],
    }
