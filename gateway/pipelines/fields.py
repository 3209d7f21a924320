"""What requests and answers are made of: strict JSON types with the contract's limits."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.upstreams.money import Payable
from gateway.upstreams.shapes import example

__all__ = (
    "Address",
    "Amount",
    "Answer",
    "Currency",
    "DiscountCode",
    "Id",
    "Quantity",
    "Reference",
    "Request",
    "example",
    "nulls",
)

_MOST: Final = Decimal("1000000.00")
_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"


class Request(BaseModel):
    """A request's body: strict types, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Answer(BaseModel):
    """An answer's body, made by a pipeline: every field of it is always there."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


def nulls(fields: Mapping[str, object]) -> tuple[str, ...]:
    """Name those of *fields* that are null: makes `degraded`, an answer's last field, of those before it."""
    return tuple(name for name, value in fields.items() if value is None)


def _not_blank(value: str) -> str:
    if not value.strip():
        msg = "must not be blank"
        raise ValueError(msg)
    return value


def _within_limits(value: Decimal) -> Decimal:
    if not 0 < value <= _MOST:
        msg = f"must be more than 0 and at most {_MOST}"
        raise ValueError(msg)
    return value


Id: TypeAlias = Annotated[str, Field(pattern=_ID)]
Address: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=500, json_schema_extra={"pattern": r"\S"}),
    AfterValidator(_not_blank),
]
Quantity: TypeAlias = Annotated[int, Field(ge=1, le=1000)]
Amount: TypeAlias = Annotated[
    Payable, AfterValidator(_within_limits), Field(description="more than 0, at most 1000000.00")
]
Currency: TypeAlias = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Reference: TypeAlias = Annotated[str, Field(max_length=140)]
DiscountCode: TypeAlias = Annotated[str, Field(max_length=64)]
