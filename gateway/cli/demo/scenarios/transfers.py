"""The documented outcomes of a transfer."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from gateway.cli.demo.expected import (
    Problem,
    Violation,
    aggregate,
    failed_commit,
    failure,
    success,
    with_location,
)
from gateway.cli.demo.matchers import ExpectedJson, Matching
from gateway.cli.demo.scenario import Fault, Pipeline, Request, Scenario, post

__all__ = ("SCENARIOS", "TRANSFERS")

ACCOUNT: Final = ("accounts.fetch", "accounts.history", "fraud.risk_profile")
CHECKS: Final = ("fraud.check_transfer", "fraud.check_compliance")
SETTLEMENT: Final = ("payments.execute_transfer", "accounts.post")
CHECKED: Final = (*ACCOUNT, *CHECKS)
TRANSFERS: Final = Pipeline(
    "transfers", (ACCOUNT, CHECKS, SETTLEMENT), ("payments.reverse_transfer", "accounts.reverse_posting")
)
REVERSED: Final = (*TRANSFERS.calls, "payments.reverse_transfer")

EXAMPLE: Final[Mapping[str, str]] = {
    "from_account": "acc-001",
    "to_account": "acc-002",
    "amount": "25.00",
    "currency": "USD",
    "reference": "rent",
}
RECORD: Final[Mapping[str, ExpectedJson]] = {**EXAMPLE, "key": Matching(".+")}

transfers: Final = partial(Scenario, TRANSFERS)


def transfer(**changes: str) -> Request:
    """Build a transfer of 25 dollars between two accounts, with *changes* to its fields."""
    return post("/transfers", json.dumps({**EXAMPLE, **changes}))


def transfer_in_state(status: str, **changes: str) -> Mapping[str, ExpectedJson]:
    """Build the state of the payment service with one transfer, which has *status*."""
    record = {**RECORD, **changes, "transfer_id": Matching("trf-[0-9a-f]+"), "status": status}
    return {"payment.transfers": [record]}


def posting_in_state(status: str) -> Mapping[str, ExpectedJson]:
    """Build the state of the account service with one posting, which has *status*."""
    record = {**RECORD, "posting_id": Matching("pst-[0-9a-f]+"), "status": status}
    return {"account.postings": [record]}


def build_refused_posting(name: str, to_account: str, problem: Problem) -> Scenario:
    """Build a scenario in which the transfer is executed, but reversed when the posting is refused."""
    changes = transfer_in_state("reversed", to_account=to_account)
    return transfers(name, transfer(to_account=to_account), failed_commit(problem), REVERSED, changes=changes)


COMPLETED: Final = with_location(
    success(
        201,
        transfer_id=Matching("trf-[0-9a-f]+"),
        status="completed",
        from_account={"account_id": "acc-001", "balance": "975.00"},
        to_account={"account_id": "acc-002", "balance": "275.00"},
        amount="25.00",
    )
)
MOVED: Final[Mapping[str, ExpectedJson]] = {
    **transfer_in_state("executed"),
    "account.balances": {
        "acc-001": "975.00",
        "acc-002": "275.00",
        "acc-empty": "0.00",
        "acc-high-risk": "5000.00",
        "acc-sanctioned": "0.00",
        "acc-frozen": "100.00",
    },
    **posting_in_state("posted"),
}

UNUSABLE_ACCOUNT: Final = Problem(409, "conflict", "accounts.fetch")
UNKNOWN_ACCOUNT: Final = Problem(404, "not-found", "accounts.fetch")
UNKNOWN_DESTINATION: Final = Problem(404, "not-found", "accounts.post")
FROZEN_DESTINATION: Final = Problem(409, "conflict", "accounts.post")
SANCTIONED: Final = Problem(403, "forbidden", "fraud.check_compliance")
HIGH_RISK: Final = Problem(403, "forbidden", "fraud.check_transfer")
ACCOUNTS_DOWN: Final = Problem(503, "unavailable", "accounts.post")
PAYMENTS_DOWN: Final = Problem(503, "unavailable", "payments.execute_transfer")
SAME_ACCOUNT: Final = Problem(422, "invalid", violations=(Violation("to_account"),))

LOSE_RESPONSE_ONCE: Final = Fault("account", "/postings", "drop_after_write", "POST", times=1)
BREAK_POSTING: Final = Fault("account", "/postings", "status", "POST", status=500)

SCENARIOS: Final[Sequence[Scenario]] = (
    transfers("success", transfer(), COMPLETED, TRANSFERS.calls, changes=MOVED),
    transfers("no funds", transfer(from_account="acc-empty"), failure(UNUSABLE_ACCOUNT), ACCOUNT),
    transfers("account frozen", transfer(from_account="acc-frozen"), failure(UNUSABLE_ACCOUNT), ACCOUNT),
    transfers("wrong currency", transfer(currency="EUR"), failure(UNUSABLE_ACCOUNT), ACCOUNT),
    transfers(
        "unknown account",
        transfer(from_account="acc-x"),
        failure(UNKNOWN_ACCOUNT),
        ACCOUNT,
        cancellable=("accounts.history", "fraud.risk_profile"),
    ),
    transfers("sanctioned", transfer(to_account="acc-sanctioned"), failure(SANCTIONED), CHECKED),
    transfers(
        "high-risk and sanctioned",
        transfer(from_account="acc-high-risk", to_account="acc-sanctioned"),
        aggregate(207, HIGH_RISK, SANCTIONED),
        CHECKED,
    ),
    build_refused_posting("to unknown account", "acc-x", UNKNOWN_DESTINATION),
    build_refused_posting("to frozen account", "acc-frozen", FROZEN_DESTINATION),
    transfers(
        "response lost once",
        transfer(),
        COMPLETED,
        (*TRANSFERS.calls, "accounts.post"),
        faults=(LOSE_RESPONSE_ONCE,),
        changes=MOVED,
    ),
    transfers(
        "posting in doubt",
        transfer(),
        failed_commit(ACCOUNTS_DOWN),
        (*TRANSFERS.calls, "accounts.post", "accounts.reverse_posting", "payments.reverse_transfer"),
        faults=(LOSE_RESPONSE_ONCE, BREAK_POSTING),
        changes={**transfer_in_state("reversed"), **posting_in_state("reversed")},
    ),
    transfers(
        "payments down",
        transfer(),
        failed_commit(PAYMENTS_DOWN),
        (*CHECKED, "payments.execute_transfer"),
        down=("payment",),
    ),
    transfers("same account twice", transfer(to_account="acc-001"), failure(SAME_ACCOUNT), ()),
)
"""The scenarios, in the order in which they are played."""
