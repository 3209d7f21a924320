"""Placement of a write's idempotency key in its request: a header, or a field of the body."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeVar, cast, final

from gateway.client.operations.request import Request
from gateway.client.operations.request_body import ABSENT, Absent, Form, RequestBody, has_field
from gateway.client.operations.request_headers import EncodedHeaders
from gateway.railway import Fault, Key

__all__ = ("KeyPlacement",)

T = TypeVar("T")
E = TypeVar("E", bound=Fault)


@final
class KeyPlacement:
    """Placement of the keys of a service: in *header*, or in the body's *field* unless that is None.

    *default_body* is the body of a write that is called without one: an empty object for the field.
    """

    __slots__ = ("_encoded", "_field", "_header", "default_body")

    def __init__(self, header: str, field: str | None) -> None:
        self._header = header.lower()
        self._encoded = self._header.encode("ascii")
        self._field = field
        self.default_body: Final[Absent | Mapping[str, object]] = ABSENT if field is None else {}

    def add(self, request: Request[T, E], key: Key) -> Request[T, E]:
        """Return a copy of *request* with *key*; raise `TypeError` if its body cannot have the field."""
        if self._field is None:
            headers = EncodedHeaders((*request.headers.fields, (self._encoded, key.encode())))
            return replace(request, headers=headers)
        # Sound: a request of a write has a body, the default body at least.
        body = cast("RequestBody", request.body)
        return replace(request, body=body.with_field(self._field, key))

    def is_taken(self, headers: Mapping[str, str], body: object, form: Form | None) -> bool:
        """Return whether *headers*, or the fields of *body* or *form*, have the place of the key already."""
        if self._field is not None:
            return has_field(self._field, body, form)
        return any(name.lower() == self._header for name in headers)

    @property
    def place(self) -> str:
        """Return a description of the place, for messages."""
        return f"the header {self._header}" if self._field is None else f"the field {self._field!r}"
