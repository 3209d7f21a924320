"""What is sent to services and what they answer, as models."""

from pydantic import BaseModel, ConfigDict, JsonValue

__all__ = ("Answer", "Body", "example")


class Answer(BaseModel):
    """What a service answers: frozen and strictly typed; fields that nobody asked for are passed over."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Body(BaseModel):
    """What a service is sent."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def example(**fields: JsonValue) -> ConfigDict:
    """Say what a model looks like in JSON, as its `model_config`: for readers, and for rehearsals."""
    return ConfigDict(json_schema_extra={"examples": [fields]})
