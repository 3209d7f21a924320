"""Transfers: as much money there as back, and money that stays where it is."""

from collections.abc import Sequence
from typing import Final

from load.case import SOME, Body, Case
from load.problems import conflict, forbidden, invalid, not_found, refused, undone
from load.seeds import SAFE

__all__ = ("CASES",)

_PATH: Final = "/transfers"


def _transfer(source: str, destination: str) -> Body:
    return {"from_account": source, "to_account": destination, "amount": "1.00", "currency": "USD"}


def _moved(name: str, source: str, destination: str) -> Case:
    body: Body = {
        "transfer_id": SOME,
        "status": "completed",
        "from_account": {"account_id": source, "balance": SOME},
        "to_account": {"account_id": destination, "balance": SOME},
        "amount": "1.00",
        "currency": "USD",
        "fraud_check": SAFE,
        "compliance_check": {"is_compliant": True},
    }
    return Case(name, _PATH, _transfer(source, destination), 201, body, weight=3, writes=True)


CASES: Final[Sequence[Case]] = (
    _moved("there", "acc-001", "acc-002"),
    _moved("back", "acc-002", "acc-001"),
    refused(
        "no funds",
        _PATH,
        _transfer("acc-empty", "acc-002"),
        conflict("Insufficient funds", "accounts.fetch"),
    ),
    refused(
        "sanctioned",
        _PATH,
        _transfer("acc-001", "acc-sanctioned"),
        forbidden("Compliance: destination account is sanctioned", "fraud.check_compliance"),
    ),
    undone(
        "unknown destination",
        _PATH,
        _transfer("acc-001", "nonexistent"),
        not_found("Account not found: nonexistent", "accounts.post"),
    ),
    refused(
        "to itself",
        _PATH,
        _transfer("acc-001", "acc-001"),
        invalid("to_account", "must be another account than from_account"),
    ),
)
