"""Call graphs as discovered by running the pipelines."""

from typing import Final

from tests.matrix.call_graph import CallGraph, DeclaredError
from tests.matrix.courier_subject import COURIER
from tests.matrix.discovery import discover_call_graphs
from tests.matrix.shipped_subject import SHIPPED

CALL_GRAPHS: Final = discover_call_graphs(SHIPPED)
COURIER_GRAPHS: Final = discover_call_graphs(COURIER)


def summarize(graph: CallGraph) -> list[tuple[str, str, list[str]]]:
    return [(stage.name, stage.policy, [call.name for call in stage.calls]) for stage in graph.stages]


def test_discovery_finds_stages_and_policies() -> None:
    assert summarize(CALL_GRAPHS["transfers"]) == [
        ("account data", "fail fast", ["accounts.fetch", "accounts.history", "fraud.risk_profile"]),
        ("checks", "settle", ["fraud.check_transfer", "fraud.check_compliance"]),
        ("settlement", "in order", ["payments.execute_transfer", "accounts.post"]),
    ]


def test_discovery_finds_declared_statuses() -> None:
    assert {call.name: (*call.declared_statuses,) for call in CALL_GRAPHS["orders"].calls} == {
        "users.fetch": (404,),
        "inventory.check": (404, 409),
        "payments.validate": (404, 422),
        "fraud.screen": (403,),
        "shipping.quote": (422,),
        "inventory.reserve": (404, 409),
    }


def test_shipped_services_declare_no_own_codes() -> None:
    declared = [error for graph in CALL_GRAPHS.values() for call in graph.calls for error in call.declared]

    assert declared
    assert not [error for error in declared if error.own_code is not None]


def test_discovery_finds_optional_calls() -> None:
    optional = [call.name for call in CALL_GRAPHS["feed"].calls if call.kind == "optional"]

    assert optional == ["social.notifications", "social.engagement", "social.recommendations"]


def test_discovery_finds_undos_of_writes() -> None:
    writes = {call.name: call.undo for call in CALL_GRAPHS["purchases"].calls if call.is_write}

    assert {name: undo and (undo.name, undo.method, undo.path) for name, undo in writes.items()} == {
        "orders.create": ("orders.cancel", "DELETE", "/orders/"),
        "notifications.send": None,
        "analytics.track": None,
    }


def test_discovery_numbers_calls_of_a_list() -> None:
    (stops,) = COURIER_GRAPHS["tours"].stages

    assert stops.is_list
    assert [(call.name, call.source) for call in stops.calls] == [
        ("geocoder.search[0]", "geocoder.search"),
        ("geocoder.search[1]", "geocoder.search"),
        ("geocoder.search[2]", "geocoder.search"),
    ]


def test_discovery_finds_lookups_of_undos() -> None:
    lookups = {undo.name: undo.lookup for undo in COURIER_GRAPHS["deliveries"].undos}

    assert {
        name: found and (found.method, found.path, found.lag, found.settling)
        for name, found in lookups.items()
    } == {
        "payments.refund": ("GET", "/v1/charges/search", 1.0, 3.0),
        "tickets.close": ("GET", "/tickets", 0.0, 0.5),
    }


def test_discovery_finds_own_codes() -> None:
    charge = COURIER_GRAPHS["deliveries"].stages[1].calls[0]

    assert charge.declared == (DeclaredError(402, "conflict", "card-declined"),)


def test_discovery_finds_errors_for_empty_lists() -> None:
    search = COURIER_GRAPHS["tours"].stages[0].calls[0]

    assert search.declared == (DeclaredError(200, "not-found", detail="Unknown address: Brandenburg Gate"),)


def test_discovery_finds_call_without_stage() -> None:
    (stage,) = COURIER_GRAPHS["assignments"].stages

    assert [(call.name, call.method, call.has_body) for call in stage.calls] == [
        ("tickets.assign", "PATCH", False)
    ]
