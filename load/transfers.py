"""Transfer cases: transfers of the same amount back and forth, and transfers that fail."""

from collections.abc import Sequence
from typing import Final

from load.case import ANY, Body, Case
from load.problems import conflict, failing_case, forbidden, invalid_field, not_found, undone_case
from load.seeds import SAFE

__all__ = ("CASES",)

_PATH: Final = "/transfers"


def _transfer(source: str, destination: str) -> Body:
    return {"from_account": source, "to_account": destination, "amount": "1.00", "currency": "USD"}


def _success(name: str, source: str, destination: str) -> Case:
    body: Body = {
        "transfer_id": ANY,
        "status": "completed",
        "from_account": {"account_id": source, "balance": ANY},
        "to_account": {"account_id": destination, "balance": ANY},
        "amount": "1.00",
        "currency": "USD",
        "fraud_check": SAFE,
        "compliance_check": {"is_compliant": True},
    }
    return Case(name, _PATH, _transfer(source, destination), 201, body, weight=3, is_write=True)


CASES: Final[Sequence[Case]] = (
    _success("forth", "acc-001", "acc-002"),
    _success("back", "acc-002", "acc-001"),
    failing_case(
        "insufficient funds",
        _PATH,
        _transfer("acc-empty", "acc-002"),
        conflict("Insufficient funds", "accounts.fetch"),
    ),
    failing_case(
        "sanctioned",
        _PATH,
        _transfer("acc-001", "acc-sanctioned"),
        forbidden("Compliance: destination account is sanctioned", "fraud.check_compliance"),
    ),
    undone_case(
        "unknown destination",
        _PATH,
        _transfer("acc-001", "nonexistent"),
        not_found("Account not found: nonexistent", "accounts.post"),
    ),
    failing_case(
        "to the same account",
        _PATH,
        _transfer("acc-001", "acc-001"),
        invalid_field("to_account", "must differ from from_account"),
    ),
)
