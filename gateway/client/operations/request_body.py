"""Body of a request to a service: JSON or a form."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias, final

from pydantic import BaseModel
from pydantic_core import to_json, to_jsonable_python

from gateway.client.operations.parameters import Parameters, encode_form, encode_pairs

__all__ = ("ABSENT", "FORM", "JSON", "Absent", "Form", "RequestBody", "encode_body", "has_field")

JSON: Final = b"application/json"
FORM: Final = b"application/x-www-form-urlencoded"

Form: TypeAlias = Parameters | BaseModel
"""Fields of a form, in the order in which they are sent."""


class Absent(Enum):
    """Type of `ABSENT`."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
"""The default of a body: none is sent. None itself is a body: JSON's `null`."""


# Not frozen: a frozen dataclass takes three to four times as long to create.
@final
@dataclass(slots=True)
class RequestBody:
    """Encoded *content* of a body, and its *media_type*: `JSON` or `FORM`."""

    content: bytes
    media_type: bytes

    def with_field(self, name: str, value: str) -> "RequestBody":
        """Return the body with another field; raise `TypeError` unless the body is a form or an object."""
        if self.media_type is FORM:
            separator = b"&" if self.content else b""
            return RequestBody(self.content + separator + encode_form({name: value}), FORM)
        if not self.content.startswith(b"{"):
            msg = f"the body must be a JSON object, since the service takes the key in its field {name!r}"
            raise TypeError(msg)
        separator = b"" if self.content == b"{}" else b","
        return RequestBody(to_json({name: value})[:-1] + separator + self.content[1:], JSON)


def encode_body(name: str, body: object, form: Form | None) -> RequestBody | None:
    """Return the encoded *body* or *form* of the operation *name*; None if both are absent.

    Raise `TypeError` if both are given, and pydantic's `PydanticSerializationError` (a `ValueError`) if
    *body* cannot be serialized.
    """
    if form is None:
        return None if body is ABSENT else RequestBody(to_json(body), JSON)
    if body is not ABSENT:
        msg = f"{name} takes a body or a form, not both"
        raise TypeError(msg)
    return RequestBody(encode_form(form), FORM)


def has_field(name: str, body: object, form: Form | None) -> bool:
    """Return whether *body*, as JSON, or *form* has the field *name*."""
    if form is not None:
        return any(field == name for field, _ in encode_pairs(form))
    value: object = to_jsonable_python(body)
    return isinstance(value, dict) and name in value
