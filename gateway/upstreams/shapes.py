"""What is sent to services and what they answer, as models."""

from pydantic import BaseModel, ConfigDict

__all__ = ("Answer", "Body")


class Answer(BaseModel):
    """What a service answers: frozen and strictly typed; fields that nobody asked for are passed over."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Body(BaseModel):
    """What a service is sent."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
