"""What is found out about a pipeline by running it."""

from typing import Final

from tests.matrix.call_graph import CallGraph
from tests.matrix.discovery import discover_call_graphs

CALL_GRAPHS: Final = discover_call_graphs()


def shown(graph: CallGraph) -> list[tuple[str, str, list[str]]]:
    return [(stage.name, stage.policy, [call.name for call in stage.calls]) for stage in graph.stages]


def test_the_stages_of_a_pipeline_are_found_with_their_policies_and_calls() -> None:
    assert shown(CALL_GRAPHS["transfers"]) == [
        ("account data", "fail fast", ["accounts.fetch", "accounts.history", "fraud.risk_profile"]),
        ("checks", "settle", ["fraud.check_transfer", "fraud.check_compliance"]),
        ("settlement", "in order", ["payments.execute_transfer", "accounts.post"]),
    ]


def test_the_statuses_that_a_call_declares_are_found_and_no_others() -> None:
    assert {call.name: call.declared for call in CALL_GRAPHS["orders"].calls} == {
        "users.fetch": (404,),
        "inventory.check": (404, 409),
        "payments.validate": (404, 422),
        "fraud.screen": (403,),
        "shipping.quote": (422,),
        "inventory.reserve": (404, 409),
    }


def test_what_a_pipeline_can_do_without_is_found() -> None:
    optional = [call.name for call in CALL_GRAPHS["feed"].calls if call.kind == "optional"]

    assert optional == ["social.notifications", "social.engagement", "social.recommendations"]


def test_writes_are_found_with_their_undos_and_best_effort_without() -> None:
    writes = {call.name: call.undo for call in CALL_GRAPHS["purchases"].calls if call.is_write}

    assert {name: undo and (undo.name, undo.method, undo.path) for name, undo in writes.items()} == {
        "orders.create": ("orders.cancel", "DELETE", "/orders/"),
        "notifications.send": None,
        "analytics.track": None,
    }
