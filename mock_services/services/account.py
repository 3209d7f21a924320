"""The account service: accounts and the postings between them."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Final, Literal, TypeAlias, TypedDict

from typing_extensions import override

from mock_services.http.endpoints import Endpoint, MockService
from mock_services.http.idempotency import IdempotentWrites, with_keys
from mock_services.http.request import Request
from mock_services.http.response import Body, Problem
from mock_services.services.transfer_order import TransferOrder, TransferTerms
from mock_services.values.ids import make_id
from mock_services.values.money import format_money

__all__ = [
    "MAX_TRANSACTIONS",
    "Account",
    "Accounts",
    "Balance",
    "Posting",
    "Receipt",
    "Status",
    "Transaction",
]

MAX_TRANSACTIONS: Final = 100
"""Maximum length of the list of latest transactions: a longer list would slow down a service under load."""

Status: TypeAlias = Literal["active", "frozen"]


@dataclass(frozen=True, slots=True)
class _Seed:
    """The initial state of an account."""

    owner: str
    balance: Decimal
    status: Status = "active"
    currency: str = "USD"


SEEDS: Final = {
    "acc-001": _Seed("user-123", Decimal("1000.00")),
    "acc-002": _Seed("user-456", Decimal("250.00")),
    "acc-empty": _Seed("user-789", Decimal("0.00")),
    "acc-high-risk": _Seed("user-high-risk", Decimal("5000.00")),
    "acc-sanctioned": _Seed("user-high-risk", Decimal("0.00")),
    "acc-frozen": _Seed("user-123", Decimal("100.00"), "frozen"),
}


class Balance(TypedDict):
    """The balance of an account."""

    account_id: str
    balance: str


class Account(Balance):
    """An account with its balance."""

    owner: str
    currency: str
    status: Status


class Transaction(TypedDict):
    """The debit or the credit of a posting."""

    transfer_id: str
    amount: str
    direction: Literal["debit", "credit"]


class Receipt(TypedDict):
    """A posting and the resulting balances of both accounts."""

    posting_id: str
    from_account: Balance
    to_account: Balance


class Posting(TransferTerms):
    """The record of a posting."""

    posting_id: str
    status: Literal["posted", "reversed"]


class Accounts(MockService):
    """Double-entry bookkeeping: each posting debits an account and credits another."""

    def __init__(self) -> None:
        self._writes = IdempotentWrites()
        self._balances = {account_id: seed.balance for account_id, seed in SEEDS.items()}
        self._postings: dict[str, Posting] = {}
        self._transactions = {account_id: deque[Transaction](maxlen=MAX_TRANSACTIONS) for account_id in SEEDS}

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("GET /accounts/{id}", 50, self._fetch_account),
            Endpoint("GET /accounts/{id}/transactions", 40, self._list_transactions),
            Endpoint("POST /postings", 40, self._create_posting, HTTPStatus.CREATED, is_write=True),
            Endpoint("DELETE /postings/{key}", 40, self._undo_posting, HTTPStatus.NO_CONTENT, is_write=True),
        )

    @override
    def state(self) -> Mapping[str, object]:
        balances = {account_id: format_money(balance) for account_id, balance in self._balances.items()}
        return {"balances": balances, "postings": with_keys(self._postings)}

    def _fetch_account(self, request: Request) -> Account | Problem:
        account_id = request.params["id"]
        if account_id not in SEEDS:
            return _not_found(account_id)
        seed = SEEDS[account_id]
        return Account(
            **self._balance(account_id), owner=seed.owner, currency=seed.currency, status=seed.status
        )

    def _list_transactions(self, request: Request) -> Sequence[Transaction]:
        return tuple(self._transactions.get(request.params["id"], ()))

    def _create_posting(self, request: Request) -> Body | Problem:
        return self._writes.write(request, TransferOrder, self._apply_posting)

    def _undo_posting(self, request: Request) -> Problem | None:
        return self._writes.undo(request, self._reverse_posting)

    def _apply_posting(self, key: str, order: TransferOrder) -> Receipt | Problem:
        if problem := self._find_problem(order):
            return problem
        posting_id = make_id("pst", key)
        self._move(posting_id, order.amount, order.from_account, order.to_account)
        self._postings[key] = Posting(posting_id=posting_id, status="posted", **order.terms)
        return Receipt(
            posting_id=posting_id,
            from_account=self._balance(order.from_account),
            to_account=self._balance(order.to_account),
        )

    def _reverse_posting(self, key: str) -> None:
        # An undo must not fail, so it overdraws the account if the money has been spent meanwhile.
        posting = self._postings[key]
        reversal_id = make_id("pst", f"{key} undone")
        self._move(reversal_id, Decimal(posting["amount"]), posting["to_account"], posting["from_account"])
        posting["status"] = "reversed"

    def _find_problem(self, order: TransferOrder) -> Problem | None:
        accounts = (order.from_account, order.to_account)
        if unknown := [account_id for account_id in accounts if account_id not in SEEDS]:
            return _not_found(unknown[0])
        if any(SEEDS[account_id].status == "frozen" for account_id in accounts):
            return Problem(HTTPStatus.CONFLICT, "Account is frozen")
        if any(SEEDS[account_id].currency != order.currency for account_id in accounts):
            return Problem(HTTPStatus.CONFLICT, f"Account is not in {order.currency}")
        if self._balances[order.from_account] < order.amount:
            return Problem(HTTPStatus.CONFLICT, "Insufficient funds")
        return None

    def _move(self, posting_id: str, amount: Decimal, source: str, destination: str) -> None:
        self._balances[source] -= amount
        self._balances[destination] += amount
        debit = Transaction(transfer_id=posting_id, amount=format_money(amount), direction="debit")
        self._transactions[source].append(debit)
        self._transactions[destination].append({**debit, "direction": "credit"})

    def _balance(self, account_id: str) -> Balance:
        return Balance(account_id=account_id, balance=format_money(self._balances[account_id]))


def _not_found(account_id: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"Account not found: {account_id}")
