"""Field types of requests."""

import re
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

__all__ = ["Count", "Id", "Level", "QueryCount", "RequestModel"]

_DIGITS: Final = re.compile(r"0|[1-9][0-9]{0,8}")


class RequestModel(BaseModel):
    """A request body or query; unknown fields and values of another type are invalid."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _parse_digits(text: str) -> int:
    if _DIGITS.fullmatch(text) is None:
        kind = "digits"
        raise PydanticCustomError(kind, "Input should be a whole number, written in digits only")
    return int(text)


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]

Count = Annotated[int, Field(ge=1)]
"""A number of at least 1, such as a quantity."""

Level = Annotated[int, Field(ge=0)]
"""A number of at least 0, such as a stock level."""

QueryCount = Annotated[Count, BeforeValidator(_parse_digits)]
"""A count in a query string; pydantic alone would also accept "+3" and "1_0"."""
