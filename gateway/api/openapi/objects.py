"""Types of the OpenAPI objects that the gateway writes (OpenAPI 3.1, section 4.8)."""

from collections.abc import Mapping
from typing import Any, NotRequired, TypeAlias, TypedDict

__all__ = ("Example", "Header", "Link", "MediaType", "Reference", "Response", "Responses", "Schema")

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


class Link(TypedDict):
    """A Link Object: an operation to call next, and its parameters as runtime expressions."""

    operationId: str
    parameters: dict[str, str]
    description: str


class Header(TypedDict):
    """A Header Object with the schema of its value."""

    schema: Schema


class Response(TypedDict):
    """A Response Object; *description* says when it is sent, *content* has its bodies by media type."""

    description: str
    headers: Mapping[str, Reference | Header]
    content: NotRequired[dict[str, MediaType]]
    links: NotRequired[dict[str, Link]]


Responses: TypeAlias = dict[str, Response]
"""A Responses Object: responses by status."""
