"""The account service."""

from typing import Final, Literal, final

from pydantic import TypeAdapter

from gateway.railway import Call, NotFound, UpstreamFault
from gateway.upstreams.client import ServiceClient
from gateway.upstreams.money import Balance, Money
from gateway.upstreams.shapes import Answer

__all__ = ("Account", "Accounts", "Transaction")


@final
class Account(Answer):
    """Whose money it is, how much there is, and whether it can be moved."""

    account_id: str
    owner: str
    balance: Balance
    currency: str
    status: Literal["active", "frozen"]


@final
class Transaction(Answer):
    """Money that has come to an account (`credit`) or left it (`debit`)."""

    transfer_id: str
    amount: Money
    direction: Literal["debit", "credit"]


_ACCOUNT: Final = TypeAdapter(Account)
_HISTORY: Final = TypeAdapter(tuple[Transaction, ...])


@final
class Accounts:
    """Who has how much."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def fetch(self, account_id: str) -> Call[Account, NotFound | UpstreamFault]:
        """Say what is in *account_id*; `NotFound` if there is no such account."""
        return self._client.get(
            "accounts.fetch", ("accounts", account_id), answer=_ACCOUNT, declared={404: NotFound}
        )

    def history(self, account_id: str) -> Call[tuple[Transaction, ...], UpstreamFault]:
        """List the latest transactions of *account_id*; one that is unknown has none."""
        return self._client.get("accounts.history", ("accounts", account_id, "transactions"), answer=_HISTORY)
