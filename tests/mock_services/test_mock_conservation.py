"""Conservation of stock and money under random writes and undos, in any order."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Generic, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from pydantic import BaseModel
from pydantic_core import to_json

from mock_services.http.endpoints import MockService, Routes
from mock_services.http.request import Request
from mock_services.http.response import Response
from mock_services.services.account import SEEDS, Accounts
from mock_services.services.inventory import STOCK, Inventory, ReservationRequest
from mock_services.services.order import OrderRequest, Orders
from mock_services.services.payment import Payments
from mock_services.services.transfer_order import TransferOrder
from mock_services.values.fields import RequestModel

S = TypeVar("S", bound=RequestModel)

BOUNDED = settings(max_examples=60, stateful_step_count=40, deadline=None)

OPENING = {account_id: seed.balance for account_id, seed in SEEDS.items()}
AMOUNTS = [Decimal(amount) for amount in ("0.01", "100.00", "333.33", "700", "1000.00")]


def make_transfer(accounts: Sequence[str], amount: Decimal, currency: str) -> TransferOrder:
    source, destination = accounts
    terms = {"from_account": source, "to_account": destination, "amount": str(amount), "currency": currency}
    return TransferOrder.model_validate(terms)


keys = st.sampled_from([f"key-{number}" for number in range(8)])
products = st.sampled_from([*STOCK, "prod-none"])
reservations = st.builds(ReservationRequest, product_id=products, quantity=st.integers(1, 60))
transfers = st.builds(
    make_transfer,
    accounts=st.lists(st.sampled_from([*OPENING, "acc-none"]), min_size=2, max_size=2, unique=True),
    amount=st.sampled_from(AMOUNTS),
    currency=st.sampled_from(["USD", "USD", "USD", "EUR"]),
)
orders = st.builds(OrderRequest, user_id=st.just("user-123"), product_id=products, quantity=st.integers(1, 2))


class ReservationRecord(BaseModel):
    key: str
    product_id: str
    quantity: int


class StatusRecord(BaseModel):
    key: str
    status: str


class Balance(BaseModel):
    account_id: str
    balance: Decimal


class Receipt(BaseModel):
    from_account: Balance


class State(BaseModel):
    """The parts of /_mock/state that the invariants use."""

    stock: dict[str, int] = {}
    reservations: list[ReservationRecord] = []
    balances: dict[str, Decimal] = {}
    postings: list[StatusRecord] = []
    transfers: list[StatusRecord] = []
    orders: list[StatusRecord] = []


class WriteMachine(RuleBasedStateMachine, Generic[S]):
    """Clients that share a few keys, repeat writes with the same or another body, and undo at any time."""

    def __init__(self, domain: MockService, path: str) -> None:
        super().__init__()
        self._domain = domain
        self._routes = Routes(domain.endpoints())
        self._path = path
        self._first: dict[str, tuple[S, Response]] = {}
        self._undone: set[str] = set()

    def write(self, key: str, body: S) -> Response:
        answer = self._call("POST", self._path, key, to_json(dict(body)))
        if key in self._undone:
            assert answer.status == 409
            return answer
        first_body, first_answer = self._first.setdefault(key, (body, answer))
        if body == first_body:
            assert answer == first_answer
        else:
            assert answer.status == 422
        return answer

    @rule(key=keys)
    def undo(self, key: str) -> None:
        assert self._call("DELETE", f"{self._path}/{key}", None).status == 204
        self._undone.add(key)

    @property
    def state(self) -> State:
        return State.model_validate_json(to_json(self._domain.state()))

    @property
    def in_effect(self) -> dict[str, S]:
        return {key: body for key, body in self.succeeded.items() if key not in self._undone}

    @property
    def reverted(self) -> dict[str, S]:
        return {key: body for key, body in self.succeeded.items() if key in self._undone}

    @property
    def succeeded(self) -> dict[str, S]:
        return {key: body for key, (body, answer) in self._first.items() if answer.status == 201}

    def assert_recorded(self, records: Sequence[StatusRecord], in_effect: str, reverted: str) -> None:
        """Assert that each successful key has a single record, with the status *in_effect* or *reverted*."""
        expected = {key: in_effect if key in self.in_effect else reverted for key in self.succeeded}
        assert sorted((record.key, record.status) for record in records) == sorted(expected.items())

    def _call(self, method: str, path: str, key: str | None, body: bytes = b"") -> Response:
        endpoint, params = self._routes.find(method, path)
        headers = [(b"idempotency-key", key.encode())] if key else []
        return endpoint.handle(Request(method, path, b"", headers, params, body))


class ReservationMachine(WriteMachine[ReservationRequest]):
    def __init__(self) -> None:
        super().__init__(Inventory(), "/reservations")

    @rule(key=keys, body=reservations)
    def reserve(self, key: str, body: ReservationRequest) -> None:
        self.write(key, body)

    @invariant()
    def stock_is_conserved(self) -> None:
        state = self.state
        for product_id, before in STOCK.items():
            reserved = sum(
                record.quantity for record in state.reservations if record.product_id == product_id
            )
            assert 0 <= state.stock[product_id] == before - reserved

    @invariant()
    def key_is_in_effect_at_most_once(self) -> None:
        shown = [(record.key, record.product_id, record.quantity) for record in self.state.reservations]
        expected = [(key, body.product_id, body.quantity) for key, body in self.in_effect.items()]
        assert sorted(shown) == sorted(expected)


class PostingMachine(WriteMachine[TransferOrder]):
    def __init__(self) -> None:
        super().__init__(Accounts(), "/postings")

    @rule(key=keys, body=transfers)
    def post(self, key: str, body: TransferOrder) -> None:
        answer = self.write(key, body)
        if answer.status == 201:
            assert Receipt.model_validate_json(answer.body).from_account.balance >= 0

    @invariant()
    def money_is_conserved(self) -> None:
        balances = self.state.balances
        expected = dict(OPENING)
        for body in self.in_effect.values():
            expected[body.from_account] -= body.amount
            expected[body.to_account] += body.amount
        assert balances == expected
        assert sum(balances.values()) == sum(OPENING.values())

    @invariant()
    def overdraft_is_at_most_reverted_amount(self) -> None:
        for account_id, balance in self.state.balances.items():
            amounts = [order.amount for order in self.reverted.values() if order.to_account == account_id]
            assert balance >= -sum(amounts)

    @invariant()
    def key_is_in_effect_at_most_once(self) -> None:
        self.assert_recorded(self.state.postings, "posted", "reversed")


class TransferMachine(WriteMachine[TransferOrder]):
    def __init__(self) -> None:
        super().__init__(Payments(), "/transfers")

    @rule(key=keys, body=transfers)
    def transfer(self, key: str, body: TransferOrder) -> None:
        self.write(key, body)

    @invariant()
    def key_is_in_effect_at_most_once(self) -> None:
        self.assert_recorded(self.state.transfers, "executed", "reversed")


class OrderMachine(WriteMachine[OrderRequest]):
    def __init__(self) -> None:
        super().__init__(Orders(), "/orders")

    @rule(key=keys, body=orders)
    def order(self, key: str, body: OrderRequest) -> None:
        self.write(key, body)

    @invariant()
    def key_is_in_effect_at_most_once(self) -> None:
        self.assert_recorded(self.state.orders, "created", "cancelled")


def test_random_writes_conserve_stock() -> None:
    run_state_machine_as_test(ReservationMachine, settings=BOUNDED)


def test_random_writes_conserve_money() -> None:
    run_state_machine_as_test(PostingMachine, settings=BOUNDED)


def test_random_writes_execute_transfer_once() -> None:
    """A transfer is executed at most once, and never after its undo."""
    run_state_machine_as_test(TransferMachine, settings=BOUNDED)


def test_random_writes_create_order_once() -> None:
    """An order is created at most once, and never after its undo."""
    run_state_machine_as_test(OrderMachine, settings=BOUNDED)
