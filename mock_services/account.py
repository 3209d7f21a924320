"""The account service: who has how much, and the postings that change it."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Final, Literal, TypeAlias, TypedDict

from typing_extensions import override

from mock_services.answers import Body, Problem
from mock_services.endpoints import Domain, Endpoint
from mock_services.ids import id_of
from mock_services.keyed import KeyedWrites, keyed
from mock_services.money import money
from mock_services.requests import Request
from mock_services.transfers import TransferOrder, TransferTerms

__all__ = [
    "TRANSACTIONS_KEPT",
    "Account",
    "Accounts",
    "Balance",
    "Posting",
    "Receipt",
    "Status",
    "Transaction",
]

TRANSACTIONS_KEPT: Final = 100
"""Each account shows its latest transactions, so that a service under load for hours does not slow down."""

Status: TypeAlias = Literal["active", "frozen"]


@dataclass(frozen=True, slots=True)
class _Seed:
    """An account as it begins."""

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
    """What is in an account."""

    account_id: str
    balance: str


class Account(Balance):
    """All that is known of an account."""

    owner: str
    currency: str
    status: Status


class Transaction(TypedDict):
    """A posting, seen from one of its accounts."""

    transfer_id: str
    amount: str
    direction: Literal["debit", "credit"]


class Receipt(TypedDict):
    """What a posting has made of both accounts."""

    posting_id: str
    from_account: Balance
    to_account: Balance


class Posting(TransferTerms):
    """What was posted, and whether it still counts."""

    posting_id: str
    status: Literal["posted", "reversed"]


class Accounts(Domain):
    """Keeps the books: each posting takes from one account what it gives to the other."""

    def __init__(self) -> None:
        self._writes = KeyedWrites()
        self._balances = {account_id: seed.balance for account_id, seed in SEEDS.items()}
        self._postings: dict[str, Posting] = {}
        self._transactions = {
            account_id: deque[Transaction](maxlen=TRANSACTIONS_KEPT) for account_id in SEEDS
        }

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("GET /accounts/{id}", 50, self._fetch),
            Endpoint("GET /accounts/{id}/transactions", 40, self._history),
            Endpoint("POST /postings", 40, self._post, HTTPStatus.CREATED, writes=True),
            Endpoint("DELETE /postings/{key}", 40, self._undo_posting, HTTPStatus.NO_CONTENT, writes=True),
        )

    @override
    def state(self) -> Mapping[str, object]:
        balances = {account_id: money(balance) for account_id, balance in self._balances.items()}
        return {"balances": balances, "postings": keyed(self._postings)}

    def _fetch(self, request: Request) -> Account | Problem:
        account_id = request.params["id"]
        if account_id not in SEEDS:
            return _not_found(account_id)
        seed = SEEDS[account_id]
        return Account(
            **self._balance(account_id), owner=seed.owner, currency=seed.currency, status=seed.status
        )

    def _history(self, request: Request) -> Sequence[Transaction]:
        return tuple(self._transactions.get(request.params["id"], ()))

    def _post(self, request: Request) -> Body | Problem:
        return self._writes.write(request, TransferOrder, self._book)

    def _undo_posting(self, request: Request) -> Problem | None:
        return self._writes.undo(request, self._book_back)

    def _book(self, key: str, order: TransferOrder) -> Receipt | Problem:
        if objection := self._objection(order):
            return objection
        posting_id = id_of("pst", key)
        self._move(posting_id, order.amount, order.from_account, order.to_account)
        self._postings[key] = Posting(posting_id=posting_id, status="posted", **order.terms)
        return Receipt(
            posting_id=posting_id,
            from_account=self._balance(order.from_account),
            to_account=self._balance(order.to_account),
        )

    def _book_back(self, key: str) -> None:
        # Also where the money has been spent, which overdraws the account: an undo must not fail.
        posting = self._postings[key]
        opposite = id_of("pst", f"{key} undone")
        self._move(opposite, Decimal(posting["amount"]), posting["to_account"], posting["from_account"])
        posting["status"] = "reversed"

    def _objection(self, order: TransferOrder) -> Problem | None:
        both = (order.from_account, order.to_account)
        if unknown := [account_id for account_id in both if account_id not in SEEDS]:
            return _not_found(unknown[0])
        if any(SEEDS[account_id].status == "frozen" for account_id in both):
            return Problem(HTTPStatus.CONFLICT, "Account is frozen")
        if any(SEEDS[account_id].currency != order.currency for account_id in both):
            return Problem(HTTPStatus.CONFLICT, f"Account is not in {order.currency}")
        if self._balances[order.from_account] < order.amount:
            return Problem(HTTPStatus.CONFLICT, "Insufficient funds")
        return None

    def _move(self, posting_id: str, amount: Decimal, source: str, destination: str) -> None:
        self._balances[source] -= amount
        self._balances[destination] += amount
        debit = Transaction(transfer_id=posting_id, amount=money(amount), direction="debit")
        self._transactions[source].append(debit)
        self._transactions[destination].append({**debit, "direction": "credit"})

    def _balance(self, account_id: str) -> Balance:
        return Balance(account_id=account_id, balance=money(self._balances[account_id]))


def _not_found(account_id: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"Account not found: {account_id}")
