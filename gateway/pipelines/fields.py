"""What requests and answers are made of: strict JSON types with the contract's limits."""

from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = ("Address", "Answer", "DiscountCode", "Id", "Quantity", "Request")

_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"


class Request(BaseModel):
    """A request's body: strict types, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Answer(BaseModel):
    """An answer's body, made by a pipeline."""

    model_config = ConfigDict(frozen=True)


def _not_blank(value: str) -> str:
    if not value.strip():
        msg = "must not be blank"
        raise ValueError(msg)
    return value


Id: TypeAlias = Annotated[str, Field(pattern=_ID)]
Address: TypeAlias = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_not_blank)]
Quantity: TypeAlias = Annotated[int, Field(ge=1, le=1000)]
DiscountCode: TypeAlias = Annotated[str, Field(max_length=64)]
