"""Base models for the bodies of requests to and responses from upstream services."""

from pydantic import BaseModel, ConfigDict, JsonValue

__all__ = ("UpstreamRequest", "UpstreamResponse", "example")


class UpstreamResponse(BaseModel):
    """Base model for the body of a response: frozen and strictly typed; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class UpstreamRequest(BaseModel):
    """Base model for the body of a request: frozen and strictly typed."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def example(**fields: JsonValue) -> ConfigDict:
    """Return a `model_config` with *fields* as the example in the JSON schema, which dry runs use too."""
    return ConfigDict(json_schema_extra={"examples": [fields]})
