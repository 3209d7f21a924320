"""Types of the OpenAPI objects that the gateway writes (OpenAPI 3.1, section 4.8)."""

from typing import Any, NotRequired, TypeAlias, TypedDict

__all__ = ("Example", "MediaType", "Reference", "Response", "Responses", "Schema")

Schema: TypeAlias = dict[str, Any]
"""A JSON schema."""

Reference = TypedDict("Reference", {"$ref": str})


class Example(TypedDict):
    """An Example Object with a complete body."""

    value: object


class MediaType(TypedDict):
    """A Media Type Object: the schema of a body, and examples."""

    schema: NotRequired[Schema | Reference]
    example: NotRequired[object]
    examples: NotRequired[dict[str, Example]]


class Response(TypedDict):
    """A Response Object; *description* says when it is sent, *content* has its bodies by media type."""

    description: str
    headers: dict[str, Reference]
    content: NotRequired[dict[str, MediaType]]


Responses: TypeAlias = dict[str, Response]
"""A Responses Object: responses by status."""
