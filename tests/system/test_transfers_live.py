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
ONCE: Final = {"Idempotency-Key": "rent-1"}
LEFT: Final = {"Idempotency-Key": "rent-2"}
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


def balances(stack: Stack) -> tuple[str, str]:
    found = stack.state_of("account")["balances"]
    return found["acc-001"], found["acc-002"]


def written(stack: Stack) -> Sequence[str]:
    """Give the status of every transfer and of every posting that has ever been made."""
    transfers, postings = stack.state_of("payment")["transfers"], stack.state_of("account")["postings"]
    return [one["status"] for one in (*transfers, *postings)]


def test_money_moves_once_however_often_the_same_transfer_is_asked_for(stack: Stack) -> None:
    first, again = (stack.client.post("/transfers", json=RENT, headers=ONCE) for _ in "12")

    assert (first.status_code, first.json()["from_account"]["balance"]) == (201, "975.00")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert (balances(stack), written(stack)) == (AFTER, ["executed", "posted"])


def test_a_transfer_that_cannot_be_posted_is_reversed(stack: Stack) -> None:
    answer = stack.client.post("/transfers", json={**RENT, "to_account": "acc-999"})

    assert (answer.status_code, answer.json()["detail"]) == (404, "Account not found: acc-999")
    assert (balances(stack), written(stack)) == (BEFORE, ["reversed"])


def test_a_posting_whose_answer_is_lost_is_asked_for_again_and_made_once(stack: Stack) -> None:
    stack.break_down("account", "drop_after_write", path_prefix="/postings", times=1)
    answer = stack.client.post("/transfers", json=RENT)

    assert answer.status_code == 201
    assert (balances(stack), written(stack)) == (AFTER, ["executed", "posted"])


def test_who_hangs_up_during_a_commit_does_not_stop_it(stack: Stack) -> None:
    stack.break_down("account", "latency", path_prefix="/postings", latency_ms=300)
    stack.ask_and_leave("/transfers", RENT, LEFT, lambda: stack.calls_of("payment") == ["POST /transfers"])
    before = balances(stack)
    until(lambda: balances(stack) == AFTER)
    answer = stack.client.post("/transfers", json=RENT, headers=LEFT)

    assert before == BEFORE
    assert (answer.status_code, answer.headers["idempotent-replayed"]) == (201, "true")
    assert written(stack) == ["executed", "posted"]


def test_money_that_cannot_be_taken_back_is_stuck_until_an_operator_tries_again(stack: Stack) -> None:
    stack.break_down("payment", "status", path_prefix="/transfers", method="DELETE", status=500)
    answer = stack.client.post("/transfers", json={**RENT, "to_account": "acc-999"})
    (stuck,) = stack.client.get("/executions?state=stuck").json()["executions"]
    stack.heal("payment")
    retried = stack.client.post(f"/executions/{stuck['execution_id']}/retry").json()

    assert (answer.status_code, answer.json()["code"]) == (500, "stuck")
    assert answer.json()["execution_id"] == stuck["execution_id"] == retried["execution_id"]
    assert [write["outcome"] for write in stuck["writes"]] == ["stuck", "refused"]
    assert (retried["state"], written(stack)) == ("undone", ["reversed"])


def test_a_transfer_that_reaches_nobody_leaves_nothing_to_undo(stack: Stack) -> None:
    nowhere = {**stack.services, "payment": f"http://127.0.0.1:{free_port()}"}
    with gateway(nowhere) as front:
        answer = front.client.post("/transfers", json=RENT)
        execution = front.client.get(f"/executions/{answer.json()['execution_id']}").json()

    assert (answer.status_code, answer.json()["source"]) == (503, "payments.execute_transfer")
    assert [write["outcome"] for write in execution["writes"]] == ["refused", "refused"]
    assert balances(stack) == BEFORE
