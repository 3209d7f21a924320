"""Books of the services, and their invariants."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from pydantic import BaseModel

from mock_services.services.account import SEEDS
from mock_services.services.inventory import STOCK

__all__ = ("STATEFUL_SERVICES", "Books", "Entry", "Execution", "Executions", "State")

STATEFUL_SERVICES: Final = ("account", "payment", "inventory", "order")
"""The services whose state belongs to the books; notifications and events do not."""

OPENING: Final = {account_id: seed.balance for account_id, seed in SEEDS.items()}
LEDGERS: Final[Mapping[str, Sequence[str]]] = {
    "transfers": ("postings", "transfers"),
    "orders": ("reservations",),
    "purchases": ("orders",),
}
"""The ledgers in which a committed execution of each pipeline has an entry."""

Entry: TypeAlias = tuple[str, ...]
"""An entry in effect: the ledger, the terms, and the id in the response, if any."""

State: TypeAlias = Literal["running", "committed", "undone", "stuck"]


class Execution(BaseModel):
    """An execution as `GET /executions` shows it."""

    execution_id: str
    pipeline: str
    state: State
    writes: list[dict[str, str]]
    ended_at: str | None

    @property
    def outcomes(self) -> set[str]:
        return {write["outcome"] for write in self.writes}


class Executions(BaseModel):
    """A page of executions."""

    executions: list[Execution]
    cursor: str | None


class _Record(BaseModel):
    key: str

    @property
    def execution_id(self) -> str:
        """The execution that wrote the record, from the prefix of its key."""
        return self.key.partition(".")[0]


class _Posting(_Record):
    from_account: str
    to_account: str
    amount: Decimal
    status: str

    @property
    def terms(self) -> Entry:
        return (self.from_account, self.to_account, str(self.amount))


class _Transfer(_Posting):
    transfer_id: str


class _Reservation(_Record):
    reservation_id: str
    product_id: str
    quantity: int


class _Order(_Record):
    order_id: str
    user_id: str
    product_id: str
    quantity: int
    status: str


class Books(BaseModel):
    """The books of all `STATEFUL_SERVICES`, as /_mock/state shows them."""

    balances: dict[str, Decimal]
    postings: list[_Posting]
    transfers: list[_Transfer]
    stock: dict[str, int]
    reservations: list[_Reservation]
    orders: list[_Order]

    @property
    def rare_events(self) -> set[str]:
        """The rare events that have happened."""
        seen = {
            "an undo has overdrawn an account": any(balance < 0 for balance in self.balances.values()),
            "a posting is reversed": any(item.status == "reversed" for item in self.postings),
            "a transfer is reversed": any(item.status == "reversed" for item in self.transfers),
            "an order is cancelled": any(item.status == "cancelled" for item in self.orders),
        }
        return {name for name, is_seen in seen.items() if is_seen}

    @property
    def entries_in_effect(self) -> Mapping[str, Counter[Entry]]:
        """The entries that were written and not undone, by execution."""
        in_effect: dict[str, Counter[Entry]] = {}
        for execution_id, entry in self._entries():
            in_effect.setdefault(execution_id, Counter())[entry] += 1
        return in_effect

    def assert_conserved(self) -> None:
        """Assert the invariants that always hold.

        Money is conserved: the balances are the opening balances plus the postings in effect. Goods are in
        stock or reserved.

        An account is overdrawn by at most the amount of undone postings to it. The account service rejects
        postings that would overdraw an account, so only an undo can overdraw it. The posting is the last
        write of a transfer, so it is undone only if its outcome is unknown. The undo overdraws the account
        if the posting took effect, every response to it was lost or unusable, and another transfer has spent
        the money meanwhile. To prevent this, the service would have to hold the money until the transfer is
        settled, which its interface does not support.
        """
        assert sum(self.balances.values()) == sum(OPENING.values())
        expected, reverted = dict(OPENING), dict.fromkeys(OPENING, Decimal(0))
        for posting in self.postings:
            if posting.status == "posted":
                expected[posting.from_account] -= posting.amount
                expected[posting.to_account] += posting.amount
            else:
                reverted[posting.to_account] += posting.amount
        assert self.balances == expected
        for account_id, balance in self.balances.items():
            assert balance >= -reverted[account_id]
        for product_id, before in STOCK.items():
            reserved = sum(item.quantity for item in self.reservations if item.product_id == product_id)
            assert 0 <= self.stock[product_id] == before - reserved

    def assert_agree(self, executions: Iterable[Execution]) -> None:
        """Assert that all or none of each execution's writes are in effect; *executions* must be complete."""
        expected: dict[str, Counter[str]] = {}
        for execution in executions:
            assert execution.state in {"committed", "undone"}
            assert execution.ended_at is not None
            if execution.state == "committed":
                assert execution.outcomes == {"done"}
                expected[execution.execution_id] = Counter(LEDGERS[execution.pipeline])
            else:
                assert execution.outcomes <= {"undone", "refused"}
        found = {
            execution_id: Counter(entry[0] for entry in entries.elements())
            for execution_id, entries in self.entries_in_effect.items()
        }
        assert found == expected

    def _entries(self) -> Iterator[tuple[str, Entry]]:
        for posting in self.postings:
            if posting.status == "posted":
                yield posting.execution_id, ("postings", *posting.terms)
        for transfer in self.transfers:
            if transfer.status == "executed":
                yield transfer.execution_id, ("transfers", *transfer.terms, transfer.transfer_id)
        for item in self.reservations:
            yield (
                item.execution_id,
                ("reservations", item.product_id, str(item.quantity), item.reservation_id),
            )
        for order in self.orders:
            if order.status == "created":
                terms = (order.user_id, order.product_id, str(order.quantity), order.order_id)
                yield order.execution_id, ("orders", *terms)
