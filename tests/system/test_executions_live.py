"""`gateway executions` as a program, on a gateway with a stuck execution."""

import json
from collections.abc import Iterator

import pytest

from tests.system.programs import Program, ProgramResult, free_port
from tests.system.stack import Stack, running

TOKEN = "s3cret"  # noqa: S105 - of a gateway that only the tests can reach
TRANSFER = {"from_account": "acc-001", "to_account": "acc-frozen", "amount": "25.00", "currency": "USD"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(0, GATEWAY_UNDO_BUDGET_MS="300", GATEWAY_OPERATOR_TOKEN=TOKEN) as stack:
        yield stack


def run(stack: Stack, *arguments: str, token: str = TOKEN) -> ProgramResult:
    """Run `gateway executions` on the gateway of *stack*."""
    options = ("executions", *arguments, "--url", str(stack.client.base_url))
    with Program("gateway", *options, environment={"GATEWAY_OPERATOR_TOKEN": token}) as program:
        return program.wait()


def test_operator_finds_and_retries_stuck_execution(stack: Stack) -> None:
    stack.break_down("payment", "status", status=503, method="DELETE")
    execution_id = stack.client.post("/transfers", json=TRANSFER).json()["execution_id"]

    (listed,) = json.loads(run(stack, "list", "--state", "stuck", "--json").out)["executions"]
    again = run(stack, "retry", execution_id)
    stack.heal("payment")
    retried = run(stack, "retry", execution_id)
    shown = run(stack, "show", execution_id)

    assert listed["execution_id"] == execution_id
    assert (again.code, "the undo failed again: payments.execute_transfer" in again.err) == (1, True)
    assert (retried.code, retried.err) == (0, "")
    assert (shown.code, shown.out) == (0, retried.out)
    assert "payments.execute_transfer  undone" in shown.out
    assert run(stack, "retry", execution_id).err == "gateway: The execution is not stuck (status 409)\n"


def test_unknown_execution_and_wrong_token_are_failures(stack: Stack) -> None:
    unknown, refused = run(stack, "show", "exe-unknown"), run(stack, "list", token=f"{TOKEN}!")

    assert (unknown.code, refused.code) == (1, 1)
    assert unknown.err.endswith(" (status 404)\n")
    assert "token" in refused.err


def test_stopped_gateway_is_a_failure_in_one_line() -> None:
    with Program("gateway", "executions", "list", "--url", f"http://127.0.0.1:{free_port()}") as program:
        result = program.wait()

    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert result.err.startswith("gateway: cannot reach the gateway at http://127.0.0.1:")
