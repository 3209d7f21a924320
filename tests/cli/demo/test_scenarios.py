"""The demo's scenarios cover every documented outcome of the real pipelines."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Final, get_args, get_type_hints

import pytest

from gateway.api.pipeline_route.description import DescribedPipeline, list_refusals
from gateway.api.problems.catalogue import CATALOGUE
from gateway.app import create_app
from gateway.cli.demo.expected import Answer
from gateway.cli.demo.scenario import Scenario
from gateway.cli.demo.scenarios import SCENARIOS
from mock_services.faults import Fault

DESCRIBED: Final[Mapping[str, DescribedPipeline]] = {
    described.plan.name: described for described in create_app().pipelines
}
NAMES: Final[Mapping[str, Collection[str]]] = {
    "checkout": [
        "success",
        "with a discount",
        "user not found",
        "unknown product",
        "out of stock",
        "payment expired",
        "unknown payment",
        "three failures at once",
        "two unknown ids",
        "high-risk user",
        "expensive product",
        "address refused",
        "unknown discount",
        "discount expired",
        "two different failures",
        "service down",
        "hanging service",
        "garbage response",
        "truncated response",
        "service down and a 404",
        "blank address",
        "unknown field",
        "malformed JSON",
        "body too large",
        "not declared as JSON",
        "timeout of zero",
    ],
    "orders": [
        "success",
        "out of stock",
        "unknown product",
        "unknown user, slow stock",
        "expired and high-risk",
        "unknown payment",
        "high-risk user",
        "too late to commit",
        "reservation refused",
        "product gone",
        "address refused",
        "shipping down",
        "stuck",
        "response lost once",
        "blank address",
    ],
    "orders sent twice with one Idempotency-Key": [
        "same request",
        "different request",
        "commit failed",
        "failed before commit",
        "commit outlasts deadline",
    ],
    "feed": [
        "success",
        "no friends",
        "recommendations off",
        "optional call hangs",
        "two optional calls fail",
        "posts unavailable",
        "unknown user",
        "invalid user id",
    ],
    "transfers": [
        "success",
        "no funds",
        "account frozen",
        "wrong currency",
        "unknown account",
        "sanctioned",
        "high-risk and sanctioned",
        "to unknown account",
        "to frozen account",
        "response lost once",
        "posting in doubt",
        "payments down",
        "same account twice",
    ],
    "purchases": [
        "success",
        "no token",
        "token expired",
        "token of another user",
        "token of another, unknown user",
        "unknown user",
        "announcements fail",
        "unknown product",
        "out of stock",
    ],
}
CODES_OUTSIDE_PIPELINES: Final = {
    "route-not-found",
    "method-not-allowed",
    "gone",
    "precondition-failed",
    "uri-too-long",
    "headers-too-large",
}
NOT_PLAYED: Final = {"unexpected", "request-timeout", "rate-limited"}
"""Codes that no scenario causes: they need a bug, a request body that never arrives, or a rate limit."""


def scenarios_of(name: str) -> list[Scenario]:
    """Return the scenarios of the pipeline *name*."""
    return [scenario for scenario in SCENARIOS if scenario.pipeline.name.split()[0] == name]


def expected_answers(scenarios: Collection[Scenario]) -> Iterator[Answer]:
    """Yield every expected answer in *scenarios*, except replays."""
    for scenario in scenarios:
        for _, answer in scenario.exchanges:
            if isinstance(answer, Answer):
                yield answer


every_pipeline = pytest.mark.parametrize("name", DESCRIBED)


def test_scenarios_have_documented_names_and_order() -> None:
    played: dict[str, list[str]] = {}
    for scenario in SCENARIOS:
        played.setdefault(scenario.pipeline.name, []).append(scenario.name)

    assert played == NAMES
    assert [*played] == [*NAMES]


def test_scenarios_cover_every_pipeline() -> None:
    assert {scenario.pipeline.name.split()[0] for scenario in SCENARIOS} == {*DESCRIBED}


@every_pipeline
def test_scenario_stages_and_undos_equal_the_plan(name: str) -> None:
    plan = DESCRIBED[name].plan
    stages = tuple(tuple(call.name for call in stage.calls) for stage in plan.stages)
    undos = tuple(call.undo for call in plan.calls if call.undo)

    for scenario in scenarios_of(name):
        assert scenario.pipeline.stages == stages
        assert scenario.pipeline.undos == undos


@every_pipeline
def test_scenarios_cover_declared_refusals(name: str) -> None:
    declared = {
        (call.name, refusal["status"])
        for call in DESCRIBED[name].plan.calls
        for refusal in list_refusals(call)
    }

    played = {
        (error.source, error.status)
        for answer in expected_answers(scenarios_of(name))
        for error in answer.errors
    }
    assert declared - played == set()


@every_pipeline
def test_scenarios_use_every_call_and_undo(name: str) -> None:
    pipeline = scenarios_of(name)[0].pipeline

    made = Counter(call for scenario in scenarios_of(name) for call in scenario.calls)
    assert {*pipeline.calls, *pipeline.undos} == {*made}


def test_scenarios_cover_all_statuses() -> None:
    statuses = {status for described in DESCRIBED.values() for status in described.description["statuses"]}

    others = {CATALOGUE[code].status for code in ("request-timeout", "rate-limited")}
    assert {answer.status for answer in expected_answers(SCENARIOS)} == statuses - others


def test_scenarios_cover_all_problem_codes() -> None:
    played = {answer.code for answer in expected_answers(SCENARIOS) if answer.code}
    played |= {error.code for answer in expected_answers(SCENARIOS) for error in answer.errors}

    assert played == CATALOGUE.keys() - CODES_OUTSIDE_PIPELINES - NOT_PLAYED


def test_scenarios_cover_all_fault_kinds() -> None:
    kinds = get_args(get_type_hints(Fault)["kind"])

    assert {fault.kind for scenario in SCENARIOS for fault in scenario.faults} == {*kinds}
