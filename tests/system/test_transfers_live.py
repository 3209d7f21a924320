"""POST /transfers against real mock services, over HTTP."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pytest

from tests.system.programs import free_port, until
from tests.system.stack import Json, Stack, gateway, running

RENT: Final[Mapping[str, Json]] = {
    "from_account": "acc-001",
    "to_account": "acc-002",
    "amount": "25.00",
    "currency": "USD",
    "reference": "rent",
}
REPEATED: Final = {"Idempotency-Key": "rent-1"}
DISCONNECT: Final = {"Idempotency-Key": "rent-2"}
BEFORE: Final = ("1000.00", "250.00")
AFTER: Final = ("975.00", "275.00")


@pytest.fixture(scope="module")
def processes() -> Iterator[Stack]:
    with running(0, GATEWAY_UNDO_BUDGET_MS="1000") as stack:
        yield stack


@pytest.fixture
def stack(processes: Stack) -> Stack:
    processes.reset()
    return processes


def read_balances(stack: Stack) -> tuple[str, str]:
    by_account = stack.state_of("account")["balances"]
    return by_account["acc-001"], by_account["acc-002"]


def list_writes(stack: Stack) -> Sequence[str]:
    """Return the status of every transfer and every posting, including reversed writes."""
    transfers, postings = stack.state_of("payment")["transfers"], stack.state_of("account")["postings"]
    return [write["status"] for write in (*transfers, *postings)]


def test_repeated_transfer_moves_money_once(stack: Stack) -> None:
    first, again = (stack.client.post("/transfers", json=RENT, headers=REPEATED) for _ in "12")

    assert (first.status_code, first.json()["from_account"]["balance"]) == (201, "975.00")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert (read_balances(stack), list_writes(stack)) == (AFTER, ["executed", "posted"])


def test_failed_posting_reverses_transfer(stack: Stack) -> None:
    answer = stack.client.post("/transfers", json={**RENT, "to_account": "acc-999"})

    assert (answer.status_code, answer.json()["detail"]) == (404, "Account not found: acc-999")
    assert (read_balances(stack), list_writes(stack)) == (BEFORE, ["reversed"])


def test_retried_posting_moves_money_once(stack: Stack) -> None:
    stack.break_down("account", "drop_after_write", path_prefix="/postings", times=1)
    answer = stack.client.post("/transfers", json=RENT)

    assert answer.status_code == 201
    assert (read_balances(stack), list_writes(stack)) == (AFTER, ["executed", "posted"])


def test_disconnect_during_commit_keeps_transfer(stack: Stack) -> None:
    stack.break_down("account", "latency", path_prefix="/postings", latency_ms=300)
    stack.post_and_disconnect(
        "/transfers", RENT, DISCONNECT, lambda: stack.calls_of("payment") == ["POST /transfers"]
    )
    before = read_balances(stack)
    until(lambda: read_balances(stack) == AFTER)
    answer = stack.client.post("/transfers", json=RENT, headers=DISCONNECT)

    assert before == BEFORE
    assert (answer.status_code, answer.headers["idempotent-replayed"]) == (201, "true")
    assert list_writes(stack) == ["executed", "posted"]


def test_stuck_transfer_is_undone_by_operator_retry(stack: Stack) -> None:
    stack.break_down("payment", "status", path_prefix="/transfers", method="DELETE", status=500)
    answer = stack.client.post("/transfers", json={**RENT, "to_account": "acc-999"})
    (stuck,) = stack.client.get("/executions?state=stuck").json()["executions"]
    stack.heal("payment")
    retried = stack.client.post(f"/executions/{stuck['execution_id']}/retry").json()

    assert (answer.status_code, answer.json()["code"]) == (500, "stuck")
    assert answer.json()["execution_id"] == stuck["execution_id"] == retried["execution_id"]
    assert [write["outcome"] for write in stuck["writes"]] == ["stuck", "refused"]
    assert (retried["state"], list_writes(stack)) == ("undone", ["reversed"])


def test_unreachable_payment_service_needs_no_undo(stack: Stack) -> None:
    services = {**stack.services, "payment": f"http://127.0.0.1:{free_port()}"}
    with gateway(services) as front:
        answer = front.client.post("/transfers", json=RENT)
        execution = front.client.get(f"/executions/{answer.json()['execution_id']}").json()

    assert (answer.status_code, answer.json()["source"]) == (503, "payments.execute_transfer")
    assert [write["outcome"] for write in execution["writes"]] == ["refused", "refused"]
    assert read_balances(stack) == BEFORE
