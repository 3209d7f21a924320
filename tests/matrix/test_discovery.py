"""Call graphs as discovered by running the pipelines."""

from typing import Final

from tests.matrix.call_graph import CallGraph
from tests.matrix.discovery import discover_call_graphs
from tests.matrix.sample_requests import SAMPLES

CALL_GRAPHS: Final = discover_call_graphs()


def summarize(graph: CallGraph) -> list[tuple[str, str, list[str]]]:
    return [(stage.name, stage.policy, [call.name for call in stage.calls]) for stage in graph.stages]


def test_discovery_finds_stages_and_policies() -> None:
    assert summarize(CALL_GRAPHS["transfers"]) == [
        ("account data", "fail fast", ["accounts.fetch", "accounts.history", "fraud.risk_profile"]),
        ("checks", "settle", ["fraud.check_transfer", "fraud.check_compliance"]),
        ("settlement", "in order", ["payments.execute_transfer", "accounts.post"]),
    ]


def test_discovery_finds_declared_statuses() -> None:
    assert {call.name: call.declared for call in CALL_GRAPHS["orders"].calls} == {
        "users.fetch": (404,),
        "inventory.check": (404, 409),
        "payments.validate": (404, 422),
        "fraud.screen": (403,),
        "shipping.quote": (422,),
        "inventory.reserve": (404, 409),
    }


def test_shipped_services_declare_no_own_codes() -> None:
    graphs = [CALL_GRAPHS[sample.name] for sample in SAMPLES]

    assert not [call for graph in graphs for call in graph.calls if call.own_codes]


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


def test_discovery_finds_calls_of_a_list() -> None:
    calls = CALL_GRAPHS["tours"].calls

    assert [(call.name, call.source, call.item) for call in calls] == [
        (f"geocoder.search ({place})", "geocoder.search", place) for place in range(3)
    ]


def test_discovery_finds_look_ups_of_undos() -> None:
    undos = {call.name: call.undo for call in CALL_GRAPHS["deliveries"].calls if call.undo}

    assert {name: (undo.method, undo.path, undo.find) for name, undo in undos.items()} == {
        "payments.charge": ("POST", "/v1/refunds", ("GET", "/v1/charges/search")),
        "tickets.create": ("DELETE", "/tickets/", ("GET", "/tickets")),
    }


def test_discovery_finds_own_codes() -> None:
    (charge,) = (call for call in CALL_GRAPHS["deliveries"].calls if call.name == "payments.charge")

    assert (charge.declared, charge.own_codes) == ((402,), ((402, (409, "card-declined")),))
