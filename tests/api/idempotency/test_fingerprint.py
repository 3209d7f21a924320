"""Fingerprints of requests with an idempotency key."""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from pydantic import BaseModel, Field, SecretBytes, SecretStr, field_serializer

from gateway.api.idempotency.fingerprint import compute_fingerprint
from gateway.pipelines.orders import OrderRequest
from gateway.pipelines.transfers import TransferRequest

ORDER = {"user_id": "user-1", "product_id": "p", "payment_id": "pm", "address": "1 Main St"}
TRANSFER = {"from_account": "a", "to_account": "b", "amount": "25", "currency": "USD"}


@pytest.mark.parametrize(
    ("model", "one", "other"),
    [
        (OrderRequest, ORDER, {**ORDER, "quantity": 1}),
        (OrderRequest, ORDER, dict(reversed(ORDER.items()))),
        (TransferRequest, TRANSFER, {**TRANSFER, "amount": "25.00"}),
        (TransferRequest, TRANSFER, {**TRANSFER, "amount": "25.0", "reference": None}),
    ],
)
def test_equal_validated_requests_share_fingerprint(
    model: type[OrderRequest | TransferRequest], one: dict[str, object], other: dict[str, object]
) -> None:
    first, second = model.model_validate(one), model.model_validate(other)

    assert compute_fingerprint({"body": first}) == compute_fingerprint({"body": second})


class Tags(BaseModel):
    """Body whose fields have no order."""

    names: set[str]
    groups: frozenset[tuple[str, int]] = frozenset()
    labels: dict[str, list[str]] = {}


class Masked(BaseModel):
    """Body whose serializers change the structure of its fields."""

    names: set[str]
    labels: dict[str, str]

    @field_serializer("names", when_used="json")
    def _list_names(self, names: set[str]) -> list[str]:
        return [*sorted(names), "end"]

    price: Decimal = Decimal(0)

    @field_serializer("price", when_used="json")
    def _add_currency(self, price: Decimal) -> str:
        return f"{price} USD"

    @field_serializer("labels", when_used="json")
    def _mask_labels(self, labels: dict[str, str]) -> dict[str, str]:
        return {**labels, "end": ""}


def test_order_of_set_does_not_change_fingerprint() -> None:
    """The order of strings depends on the process; a repeated request may reach another one."""
    first, second = {0, 8}, {8, 0}
    assert [*first] != [*second]

    assert compute_fingerprint({"body": first}) == compute_fingerprint({"body": second})


def test_fingerprint_covers_members_of_set() -> None:
    groups = [{("a", 1), ("b", 2)}, {("a", 2), ("b", 1)}, {("a", 1)}]
    bodies = [Tags(names=set(), groups=frozenset(members)) for members in groups]

    assert len({compute_fingerprint({"body": body}) for body in bodies}) == 3


class Tag(BaseModel, frozen=True):
    """Member of a set."""

    name: str
    aliases: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Label:
    """Member of a set."""

    names: frozenset[int]


class Everything(BaseModel):
    """Body with values whose JSON has no normal form."""

    tags: set[Tag] = set()
    labels: frozenset[Label] = frozenset()
    queue: deque[set[int]] = deque()
    renamed: set[int] = Field(default=set(), serialization_alias="new")
    price: Decimal = Decimal(0)
    at: datetime | None = None
    pin: SecretStr = SecretStr("")
    raw: SecretBytes = SecretBytes(b"")


EARLY = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Everything(tags={Tag(name="a"), Tag(name="b")}), Everything(tags={Tag(name="b"), Tag(name="a")})),
        (
            Everything(tags={Tag(name="a", aliases=frozenset([0, 8]))}),
            Everything(tags={Tag(name="a", aliases=frozenset([8, 0]))}),
        ),
        (
            Everything(labels=frozenset([Label(frozenset([0, 8]))])),
            Everything(labels=frozenset([Label(frozenset([8, 0]))])),
        ),
        (Everything(queue=deque([{0, 8}])), Everything(queue=deque([{8, 0}]))),
        (Everything(renamed={0, 8}), Everything(renamed={8, 0})),
        (Everything(price=Decimal("25.0")), Everything(price=Decimal("25.00"))),
        (Everything(at=EARLY), Everything(at=EARLY.astimezone(timezone(timedelta(hours=1))))),
    ],
)
def test_equal_values_share_fingerprint(first: Everything, second: Everything) -> None:
    assert compute_fingerprint({"body": first}) == compute_fingerprint({"body": second})


def test_unequal_values_have_fingerprints_of_their_own() -> None:
    bodies = [
        Everything(),
        Everything(tags={Tag(name="a")}),
        Everything(tags={Tag(name="a", aliases=frozenset([1]))}),
        Everything(labels=frozenset([Label(frozenset([1]))])),
        Everything(queue=deque([{1}, {2}])),
        Everything(queue=deque([{2}, {1}])),
        Everything(renamed={1}),
        Everything(price=Decimal("25.01")),
        Everything(price=Decimal("1.0000000000000000000000000000000000001")),
        Everything(price=Decimal("1.0000000000000000000000000000000000002")),
        Everything(at=EARLY),
        Everything(at=datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))),
        Everything(at=datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))),
        Everything(at=EARLY.replace(tzinfo=None)),
        Everything(pin=SecretStr("1234")),
        Everything(pin=SecretStr("4321")),
        Everything(raw=SecretBytes(b"1234")),
    ]

    assert len({compute_fingerprint({"body": body}) for body in bodies}) == len(bodies)


def test_fingerprint_respects_serializers() -> None:
    bodies = [
        Masked(names=names, labels=labels) for names in ({"a"}, {"b"}) for labels in ({"a": "1"}, {"a": "2"})
    ]

    bodies.append(Masked(names={"a"}, labels={"a": "1"}, price=Decimal(1)))

    assert len({compute_fingerprint({"body": body}) for body in bodies}) == 5


def test_order_of_mapping_does_not_change_fingerprint() -> None:
    """JSON objects have no order."""
    labels = {"size": ["s", "m"], "colour": ["red"]}
    first = Tags(names=set(), labels=labels)
    second = Tags(names=set(), labels=dict(reversed(labels.items())))

    assert compute_fingerprint({"body": first}) == compute_fingerprint({"body": second})


def test_order_of_list_changes_fingerprint() -> None:
    first, second = ["s", "m"], ["m", "s"]

    assert compute_fingerprint({"body": first}) != compute_fingerprint({"body": second})


def test_fingerprint_covers_body_and_path() -> None:
    order = OrderRequest.model_validate(ORDER)
    bodies = [order, OrderRequest.model_validate({**ORDER, "quantity": 2})]

    assert (
        len({compute_fingerprint({"body": body, "shop": shop}) for body in bodies for shop in ("a", "b")})
        == 4
    )
