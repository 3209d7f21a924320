"""Field types of the sample pipelines' requests, with their limits."""

from decimal import Decimal
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, Field

from gateway.api.pipeline_route.models import Pattern
from gateway.services.money import Payable

__all__ = ("Address", "Amount", "Currency", "DiscountCode", "Quantity", "Reference")

_MAX_AMOUNT: Final = Decimal("1000000.00")


def _require_text(value: str) -> str:
    if not value.strip():
        msg = "must not be blank"
        raise ValueError(msg)
    return value


def _require_within_limits(value: Decimal) -> Decimal:
    if not 0 < value <= _MAX_AMOUNT:
        msg = f"must be more than 0 and at most {_MAX_AMOUNT}"
        raise ValueError(msg)
    return value


Address: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=500, json_schema_extra={"pattern": r"\S"}),
    AfterValidator(_require_text),
]
Quantity: TypeAlias = Annotated[int, Field(ge=1, le=1000)]
Amount: TypeAlias = Annotated[
    Payable, AfterValidator(_require_within_limits), Field(description="more than 0, at most 1000000.00")
]
Currency: TypeAlias = Annotated[
    str, Pattern(r"^[A-Z]{3}$", "must be a currency: three capital letters such as USD")
]
Reference: TypeAlias = Annotated[str, Field(max_length=140)]
DiscountCode: TypeAlias = Annotated[str, Field(max_length=64)]
