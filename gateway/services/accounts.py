"""The account service."""

from typing import Final, Literal, final

from pydantic import TypeAdapter

from gateway.client.models import UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, Conflict, NotFound, UpstreamFault, Write
from gateway.services.money import Balance, Money
from gateway.services.transfer_terms import TransferTerms

__all__ = ("Account", "AccountBalance", "Accounts", "Posting", "Transaction")


@final
class Account(UpstreamResponse):
    """Whose money it is, how much there is, and whether it can be moved."""

    model_config = example(
        account_id="acc-001", owner="user-123", balance="1000.00", currency="USD", status="active"
    )

    account_id: str
    owner: str
    balance: Balance
    currency: str
    status: Literal["active", "frozen"]


@final
class Transaction(UpstreamResponse):
    """Money that has come to an account (`credit`) or left it (`debit`)."""

    model_config = example(transfer_id="trf-8d2f1c7a", amount="25.00", direction="debit")

    transfer_id: str
    amount: Money
    direction: Literal["debit", "credit"]


@final
class AccountBalance(UpstreamResponse):
    """What is in an account."""

    model_config = example(account_id="acc-001", balance="975.00")

    account_id: str
    balance: Balance


@final
class Posting(UpstreamResponse):
    """What a posting has made of the two accounts."""

    model_config = example(
        posting_id="pst-8d2f1c7a",
        from_account={"account_id": "acc-001", "balance": "975.00"},
        to_account={"account_id": "acc-002", "balance": "275.00"},
    )

    posting_id: str
    from_account: AccountBalance
    to_account: AccountBalance


_ACCOUNT: Final = TypeAdapter(Account)
_POSTING: Final = TypeAdapter(Posting)
_HISTORY: Final = TypeAdapter(tuple[Transaction, ...])


@final
class Accounts:
    """Who has how much."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self.reverse_posting: Final = client.undo("accounts.reverse_posting", ("postings",))
        """Make the posting that is the opposite of a write of `post`."""

    def fetch(self, account_id: str) -> Call[Account, NotFound | UpstreamFault]:
        """Say what is in *account_id*; `NotFound` if there is no such account."""
        return self._client.get(
            "accounts.fetch", ("accounts", account_id), answer=_ACCOUNT, declared={404: NotFound}
        )

    def history(self, account_id: str) -> Call[tuple[Transaction, ...], UpstreamFault]:
        """List the latest transactions of *account_id*; one that is unknown has none."""
        return self._client.get("accounts.history", ("accounts", account_id, "transactions"), answer=_HISTORY)

    def post(self, terms: TransferTerms) -> Write[Posting, NotFound | Conflict | UpstreamFault]:
        """Take from one account what the other is given, as *terms* say.

        `NotFound` if either is unknown; `Conflict` if it is frozen, or there is too little in the first.
        Whether that may be overdrawn is for the service to say: below zero is a balance like any other.
        """
        return self._client.write(
            "accounts.post",
            ("postings",),
            terms,
            answer=_POSTING,
            undo=self.reverse_posting,
            fits=lambda posting: _accounts_of(posting) == (terms.from_account, terms.to_account),
            declared={404: NotFound, 409: Conflict},
        )


def _accounts_of(posting: Posting) -> tuple[str, str]:
    return posting.from_account.account_id, posting.to_account.account_id
