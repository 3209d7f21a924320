"""The demo plays all that it says: every ending of the contract, of the pipelines as they are."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Final, get_args, get_type_hints

import pytest

from gateway.api.endpoints.pipelines import Described, refusals_of
from gateway.api.problems.catalogue import CATALOGUE
from gateway.app import create_app
from gateway.cli.demo.expected import Answer
from gateway.cli.demo.scenario import Scenario
from gateway.cli.demo.scenarios import SCENARIOS
from gateway.settings import Settings
from mock_services.faults import Fault

DESCRIBED: Final[Mapping[str, Described]] = {
    one.plan.name: one for one in create_app(Settings()).state.pipelines.described
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
        "two of the same status",
        "high-risk user",
        "expensive product",
        "address refused",
        "unknown discount",
        "discount expired",
        "stage 1 failure",
        "dead service",
        "hanging service",
        "garbage",
        "half an answer",
        "dead service and a 404",
        "blank address",
        "unknown field",
        "malformed JSON",
        "body too large",
        "not declared as JSON",
        "a wait of nothing",
    ],
    "orders": [
        "success",
        "out of stock",
        "unknown product",
        "unknown user, slow stock",
        "expired and high-risk",
        "unknown payment",
        "high-risk user",
        "no time left to write",
        "reservation refused",
        "product gone",
        "address refused",
        "shipping is dead",
        "stuck",
        "answer lost once",
        "blank address",
    ],
    "orders sent twice with one Idempotency-Key": [
        "the same",
        "something else",
        "failed writing",
        "failed earlier",
        "a slow one",
    ],
    "feed": [
        "success",
        "no friends",
        "wants no more",
        "an extra hangs",
        "two extras break",
        "no posts",
        "unknown user",
        "no id",
    ],
    "transfers": [
        "success",
        "no funds",
        "frozen",
        "not in EUR",
        "unknown",
        "sanctioned",
        "risk, sanctioned",
        "to unknown",
        "to frozen",
        "answer lost",
        "posted, unknown",
        "never sent",
        "to itself",
    ],
    "purchases": [
        "success",
        "no token",
        "token expired",
        "somebody else's token",
        "the same, unknown user",
        "unknown user",
        "nobody is told",
        "unknown product",
        "out of stock",
    ],
}
NEVER_OF_A_PIPELINE: Final = {
    "route-not-found",
    "method-not-allowed",
    "gone",
    "precondition-failed",
}
NOT_TO_BE_PROVOKED: Final = {"unexpected", "request-timeout", "rate-limited"}
"""A bug, a body that does not come, and a limit that is not set."""


def of(name: str) -> list[Scenario]:
    """Give the scenarios of the pipeline *name*."""
    return [scenario for scenario in SCENARIOS if scenario.pipeline.name.split()[0] == name]


def due(scenarios: Collection[Scenario]) -> Iterator[Answer]:
    """Give every answer that is due in *scenarios*, but for those that are had again."""
    for scenario in scenarios:
        for _, answer in scenario.exchanges:
            if isinstance(answer, Answer):
                yield answer


every_pipeline = pytest.mark.parametrize("name", DESCRIBED)


def test_these_are_all_of_them_and_in_this_order() -> None:
    played: dict[str, list[str]] = {}
    for scenario in SCENARIOS:
        played.setdefault(scenario.pipeline.name, []).append(scenario.name)

    assert played == NAMES
    assert [*played] == [*NAMES]


def test_every_pipeline_of_the_gateway_is_played() -> None:
    assert {scenario.pipeline.name.split()[0] for scenario in SCENARIOS} == {*DESCRIBED}


@every_pipeline
def test_the_stages_and_undos_that_it_names_are_those_of_the_pipeline(name: str) -> None:
    plan = DESCRIBED[name].plan
    stages = tuple(tuple(call.name for call in stage.calls) for stage in plan.stages)
    undos = tuple(call.undo for call in plan.calls if call.undo)

    for scenario in of(name):
        assert scenario.pipeline.stages == stages
        assert scenario.pipeline.undos == undos


@every_pipeline
def test_every_call_refuses_with_every_status_that_its_service_declares(name: str) -> None:
    declared = {
        (call.name, refusal["status"]) for call in DESCRIBED[name].plan.calls for refusal in refusals_of(call)
    }

    met = {(error.source, error.status) for answer in due(of(name)) for error in answer.errors}
    assert declared - met == set()


@every_pipeline
def test_every_call_is_made_and_every_undo(name: str) -> None:
    pipeline = of(name)[0].pipeline

    made = Counter(call for scenario in of(name) for call in scenario.calls)
    assert {*pipeline.calls, *pipeline.undos} == {*made}


def test_every_status_of_every_pipeline_is_met_but_for_a_late_body_and_a_limit_that_is_not_set() -> None:
    statuses = {status for one in DESCRIBED.values() for status in one.description["statuses"]}

    others = {CATALOGUE[code].status for code in ("request-timeout", "rate-limited")}
    assert {answer.status for answer in due(SCENARIOS)} == statuses - others


def test_every_code_is_met_but_for_those_that_no_pipeline_has_or_that_nobody_can_provoke() -> None:
    met = {answer.code for answer in due(SCENARIOS) if answer.code}
    met |= {error.code for answer in due(SCENARIOS) for error in answer.errors}

    assert met == CATALOGUE.keys() - NEVER_OF_A_PIPELINE - NOT_TO_BE_PROVOKED


def test_services_do_wrong_in_every_way_that_they_can() -> None:
    kinds = get_args(get_type_hints(Fault)["kind"])

    assert {fault.kind for scenario in SCENARIOS for fault in scenario.faults} == {*kinds}
