"""The types of which requests are made."""

import re
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

__all__ = ["Count", "Digits", "Id", "Level", "Strict"]

_DIGITS: Final = re.compile(r"0|[1-9][0-9]{0,8}")


class Strict(BaseModel):
    """A request body or a query: unknown fields and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _read_digits(text: str) -> int:
    if _DIGITS.fullmatch(text) is None:
        kind = "digits"
        raise PydanticCustomError(kind, "Input should be a whole number, written in digits only")
    return int(text)


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]

Count = Annotated[int, Field(ge=1)]
"""How many are wanted."""

Level = Annotated[int, Field(ge=0)]
"""How many there are."""

Digits = Annotated[Count, BeforeValidator(_read_digits)]
"""A count in a query string; pydantic alone would also take "+3" and "1_0"."""
