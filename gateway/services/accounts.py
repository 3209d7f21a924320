"""Account service: accounts, their transactions, and postings between them."""

from typing import Annotated, Final, Literal, final

from pydantic import Field, TypeAdapter

from gateway.client.answers.leniency import OrNone, unknown
from gateway.client.models import UpstreamResponse, example
from gateway.client.operations.write_operation import WriteOperation
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, Conflict, NotFound, UpstreamFault, Write
from gateway.services.money import Balance
from gateway.services.transfer_terms import TransferTerms

__all__ = ("Account", "AccountBalance", "Accounts", "Posting")


@final
class Account(UpstreamResponse):
    """An account. *balance* is in *currency* (ISO 4217), and negative if the account is overdrawn.

    Only an account whose *status* is `active` can pay.
    """

    model_config = example(
        account_id="acc-001", owner="user-123", balance="1000.00", currency="USD", status="active"
    )

    account_id: str
    owner: OrNone[str]
    balance: Balance
    currency: str
    status: Annotated[Literal["active", "frozen", "unknown"], unknown("unknown")]


@final
class AccountBalance(UpstreamResponse):
    """The balance of an account after a posting."""

    model_config = example(account_id="acc-001", balance="975.00")

    account_id: str
    balance: Balance


@final
class Posting(UpstreamResponse):
    """A posting of money between two accounts, with the balances of both accounts after it."""

    model_config = example(
        posting_id="pst-8d2f1c7a",
        from_account={"account_id": "acc-001", "balance": "975.00"},
        to_account={"account_id": "acc-002", "balance": "275.00"},
    )

    posting_id: str
    from_account: AccountBalance
    to_account: AccountBalance


_HISTORY: Final = TypeAdapter(
    Annotated[
        tuple[object, ...],
        Field(examples=[[{"transfer_id": "trf-8d2f1c7a", "amount": "25.00", "direction": "debit"}]]),
    ]
)
"""Transactions, which are not validated: only their number is read."""


@final
class Accounts:
    """Client of the account service."""

    def __init__(self, client: ServiceClient) -> None:
        self._fetch = client.get(
            "accounts.fetch", "/accounts/{account_id}", answer=Account, declared={404: NotFound}
        )
        self._history = client.get("accounts.history", "/accounts/{account_id}/transactions", answer=_HISTORY)
        self.reverse_posting: Final = client.undo.delete("accounts.reverse_posting", "/postings/{key}")
        """Undo of `post`: makes the opposite posting."""
        self._post: WriteOperation[Posting, NotFound | Conflict] = client.write.post(
            "accounts.post",
            "/postings",
            answer=Posting,
            undo=self.reverse_posting,
            declared={404: NotFound, 409: Conflict},
        )

    def fetch(self, account_id: str) -> Call[Account, NotFound | UpstreamFault]:
        """Fetch an account (`GET /accounts/{account_id}`); `NotFound` if it does not exist."""
        return self._fetch(account_id=account_id, fits=lambda account: account.account_id == account_id)

    def history(self, account_id: str) -> Call[tuple[object, ...], UpstreamFault]:
        """List the recent transactions of an account (`GET /accounts/{account_id}/transactions`).

        They are as the service sent them; an account that does not exist has none.
        """
        return self._history(account_id=account_id)

    def post(self, terms: TransferTerms) -> Write[Posting, NotFound | Conflict | UpstreamFault]:
        """Debit the source account and credit the destination account, atomically (`POST /postings`).

        `NotFound` if an account does not exist; `Conflict` if an account is frozen, or if the source has
        insufficient funds. The service decides whether an account may be overdrawn.
        """
        accounts = (terms.from_account, terms.to_account)
        return self._post(terms, fits=lambda posting: _list_account_ids(posting) == accounts)


def _list_account_ids(posting: Posting) -> tuple[str, str]:
    return posting.from_account.account_id, posting.to_account.account_id
