"""Base models for the bodies of requests to and responses from upstream services."""

from pydantic import BaseModel, ConfigDict, JsonValue

__all__ = ("UpstreamRequest", "UpstreamResponse", "example")


class UpstreamResponse(BaseModel):
    """Base model for the body of a service's response.

    Frozen and strictly typed: `"3"` is not an `int`. Unknown fields are ignored. A response that does not
    validate becomes a `BadAnswer`. As a part of the gateway's own response, every field is always present.
    """

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", json_schema_serialization_defaults_required=True
    )


class UpstreamRequest(BaseModel):
    """Base model for the body of a request to a service.

    Frozen and strictly typed. Raise pydantic's `ValidationError` for an invalid or unknown field.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def example(**fields: JsonValue) -> ConfigDict:
    """Return a `model_config` whose JSON schema has *fields* as its example.

    *fields* are JSON: amounts of money are strings. Dry runs and the documentation use the example; it is
    validated by `build_example`, not here.
    """
    return ConfigDict(json_schema_extra={"examples": [fields]})
