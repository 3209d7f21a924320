"""Base models and types for the bodies of requests and responses of pipeline routes."""

from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

__all__ = ("Id", "RequestBody", "ResponseBody", "null_fields")

_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"

Id: TypeAlias = Annotated[str, Field(pattern=_ID)]
"""An identifier that is safe as a segment of a path: letters, digits, `_` and `-`, at most 64 characters."""


class RequestBody(BaseModel):
    """Base model for the body of a request: strictly typed, frozen, and unknown fields are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ResponseBody(BaseModel):
    """Base model for the body of a response: frozen, and every field is always present."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


def null_fields(fields: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names of the *fields* that are null.

    Pass it as the `default_factory` of a last field `degraded`: pydantic calls it with the fields before it.
    """
    return tuple(name for name, value in fields.items() if value is None)
