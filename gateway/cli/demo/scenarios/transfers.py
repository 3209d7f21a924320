"""The ways in which a transfer ends that the contract names."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from gateway.cli.demo.expected import Problem, Violation, alone, executed, several, undone, whole
from gateway.cli.demo.matchers import Due, Like
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
KNOWN: Final[Mapping[str, Due]] = {**EXAMPLE, "key": Like(".+")}

transfers: Final = partial(Scenario, TRANSFERS)


def transfer(**changes: str) -> Request:
    """Move 25 dollars from one account to another, with *changes*."""
    return post("/transfers", json.dumps({**EXAMPLE, **changes}))


def executed_transfer(status: str, **changes: str) -> Mapping[str, Due]:
    """Say what is known of the transfer when it has *status*."""
    record = {**KNOWN, **changes, "transfer_id": Like("trf-[0-9a-f]+"), "status": status}
    return {"payment.transfers": [record]}


def posted(status: str) -> Sequence[Due]:
    """Say what is known of the posting when it has *status*."""
    return [{**KNOWN, "posting_id": Like("pst-[0-9a-f]+"), "status": status}]


def not_posted(name: str, to_account: str, problem: Problem) -> Scenario:
    """Have the transfer to *to_account* executed, and reversed when the posting is refused."""
    left = executed_transfer("reversed", to_account=to_account)
    return transfers(name, transfer(to_account=to_account), undone(problem), REVERSED, left=left)


COMPLETED: Final = executed(
    whole(
        201,
        transfer_id=Like("trf-[0-9a-f]+"),
        status="completed",
        from_account={"account_id": "acc-001", "balance": "975.00"},
        to_account={"account_id": "acc-002", "balance": "275.00"},
        amount="25.00",
    )
)
MOVED: Final[Mapping[str, Due]] = {
    **executed_transfer("executed"),
    "account.balances": {
        "acc-001": "975.00",
        "acc-002": "275.00",
        "acc-empty": "0.00",
        "acc-high-risk": "5000.00",
        "acc-sanctioned": "0.00",
        "acc-frozen": "100.00",
    },
    "account.postings": posted("posted"),
}

UNABLE: Final = Problem(409, "conflict", "accounts.fetch")
NO_ACCOUNT: Final = Problem(404, "not-found", "accounts.fetch")
NO_DESTINATION: Final = Problem(404, "not-found", "accounts.post")
FROZEN_DESTINATION: Final = Problem(409, "conflict", "accounts.post")
SANCTIONED: Final = Problem(403, "forbidden", "fraud.check_compliance")
HIGH_RISK: Final = Problem(403, "forbidden", "fraud.check_transfer")
NOT_POSTED: Final = Problem(503, "unavailable", "accounts.post")
NOT_SENT: Final = Problem(503, "unavailable", "payments.execute_transfer")
SAME: Final = Problem(422, "invalid", violations=(Violation("to_account"),))

LOST: Final = Fault("account", "/postings", "drop_after_write", "POST", times=1)
THEN_BROKEN: Final = Fault("account", "/postings", "status", "POST", status=500)

SCENARIOS: Final[Sequence[Scenario]] = (
    transfers("success", transfer(), COMPLETED, TRANSFERS.calls, left=MOVED),
    transfers("no funds", transfer(from_account="acc-empty"), alone(UNABLE), ACCOUNT),
    transfers("frozen", transfer(from_account="acc-frozen"), alone(UNABLE), ACCOUNT),
    transfers("not in EUR", transfer(currency="EUR"), alone(UNABLE), ACCOUNT),
    transfers(
        "unknown",
        transfer(from_account="acc-x"),
        alone(NO_ACCOUNT),
        ACCOUNT,
        cancellable=("accounts.history", "fraud.risk_profile"),
    ),
    transfers("sanctioned", transfer(to_account="acc-sanctioned"), alone(SANCTIONED), CHECKED),
    transfers(
        "risk, sanctioned",
        transfer(from_account="acc-high-risk", to_account="acc-sanctioned"),
        several(207, HIGH_RISK, SANCTIONED),
        CHECKED,
    ),
    not_posted("to unknown", "acc-x", NO_DESTINATION),
    not_posted("to frozen", "acc-frozen", FROZEN_DESTINATION),
    transfers(
        "answer lost",
        transfer(),
        COMPLETED,
        (*TRANSFERS.calls, "accounts.post"),
        faults=(LOST,),
        left=MOVED,
    ),
    transfers(
        "posted, unknown",
        transfer(),
        undone(NOT_POSTED),
        (*TRANSFERS.calls, "accounts.post", "accounts.reverse_posting", "payments.reverse_transfer"),
        faults=(LOST, THEN_BROKEN),
        left={**executed_transfer("reversed"), "account.postings": posted("reversed")},
    ),
    transfers(
        "never sent",
        transfer(),
        undone(NOT_SENT),
        (*CHECKED, "payments.execute_transfer"),
        dead=("payment",),
    ),
    transfers("to itself", transfer(to_account="acc-001"), alone(SAME), ()),
)
"""In the order in which they are played."""
