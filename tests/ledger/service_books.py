"""The books of the services, and the invariants that hold for them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from pydantic import BaseModel

from mock_services.services.account import SEEDS
from mock_services.services.inventory import STOCK

__all__ = ("STATEFUL_SERVICES", "Books", "Entry", "Execution", "Executions", "State")

STATEFUL_SERVICES: Final = ("account", "payment", "inventory", "order")
"""The services with state."""

OPENING: Final = {account_id: seed.balance for account_id, seed in SEEDS.items()}
LEDGERS: Final[Mapping[str, Sequence[str]]] = {
    "transfers": ("postings", "transfers"),
    "orders": ("reservations",),
    "purchases": ("orders",),
}
"""The ledgers in which a committed execution of each pipeline has one entry."""

Entry: TypeAlias = tuple[str, ...]
"""An entry in effect: the ledger, the terms, and the id in the response if there is one."""

State: TypeAlias = Literal["running", "committed", "undone", "stuck"]


class Execution(BaseModel):
    """One execution as `GET /executions` shows it."""

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
    """The books of all `HOLDERS` at one moment, as /_mock/state shows them."""

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
            "a posting is reversed": any(one.status == "reversed" for one in self.postings),
            "a transfer is reversed": any(one.status == "reversed" for one in self.transfers),
            "an order is cancelled": any(one.status == "cancelled" for one in self.orders),
        }
        return {what for what, is_seen in seen.items() if is_seen}

    @property
    def entries_in_effect(self) -> Mapping[str, Counter[Entry]]:
        """The entries that were written and not undone, by execution."""
        standing: dict[str, Counter[Entry]] = {}
        for execution_id, entry in self._entries():
            standing.setdefault(execution_id, Counter())[entry] += 1
        return standing

    def assert_conserved(self) -> None:
        """Assert what holds at every moment.

        Money only moves, and the balances are what the postings that stand make of the opening ones. Goods
        are in stock or reserved.

        No account is negative, but for one case. A posting is judged by its account service, which lets
        nobody spend what is not there; so an account gets below zero by an undo alone, whose money was spent
        meanwhile. In a transfer the posting is the last write, hence it is undone only where nobody knows
        what came of it: it was done, its answer and those of all its repeats were lost or unusable, and
        before it was undone another transfer spent from the account that it had paid. To keep that
        impossible the services would need a way to hold money back until its transfer is settled, which
        their interface does not have. So an account is overdrawn by no more than what was taken back from it.
        """
        assert sum(self.balances.values()) == sum(OPENING.values())
        expected, taken_back = dict(OPENING), dict.fromkeys(OPENING, Decimal(0))
        for posting in self.postings:
            if posting.status == "posted":
                expected[posting.from_account] -= posting.amount
                expected[posting.to_account] += posting.amount
            else:
                taken_back[posting.to_account] += posting.amount
        assert self.balances == expected
        for account_id, balance in self.balances.items():
            assert balance >= -taken_back[account_id]
        for product_id, before in STOCK.items():
            reserved = sum(one.quantity for one in self.reservations if one.product_id == product_id)
            assert 0 <= self.stock[product_id] == before - reserved

    def assert_agree(self, executions: Iterable[Execution]) -> None:
        """Assert that all or none of each execution's writes are in effect; *executions* must be complete."""
        expected: dict[str, Counter[str]] = {}
        for one in executions:
            assert one.state in {"committed", "undone"}
            assert one.ended_at is not None
            if one.state == "committed":
                assert one.outcomes == {"done"}
                expected[one.execution_id] = Counter(LEDGERS[one.pipeline])
            else:
                assert one.outcomes <= {"undone", "refused"}
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
        for one in self.reservations:
            yield one.execution_id, ("reservations", one.product_id, str(one.quantity), one.reservation_id)
        for order in self.orders:
            if order.status == "created":
                terms = (order.user_id, order.product_id, str(order.quantity), order.order_id)
                yield order.execution_id, ("orders", *terms)
