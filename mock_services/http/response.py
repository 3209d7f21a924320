"""Responses of the mock services."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

from pydantic_core import ValidationError, to_json

__all__ = ["Body", "Header", "Problem", "Response", "validation_problem"]

Header: TypeAlias = tuple[bytes, bytes]
Body: TypeAlias = Mapping[str, object] | Sequence[Mapping[str, object]]
"""A JSON body. The services build it from TypedDicts, which cost nothing at run time."""

_JSON: Final = (b"content-type", b"application/json")
_PROBLEM: Final = (b"content-type", b"application/problem+json")
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


@dataclass(frozen=True, slots=True)
class Response:
    """A status, headers and a body."""

    status: int
    headers: tuple[Header, ...] = ()
    body: bytes = b""

    @classmethod
    def json(cls, status: int, body: Body | None) -> "Response":
        """Build a JSON response; a body of None means no body."""
        return cls(status) if body is None else cls(status, (_JSON,), to_json(body))

    @classmethod
    def garbage(cls) -> "Response":
        """Build a 200 response that declares JSON but contains HTML."""
        return cls(HTTPStatus.OK, (_JSON,), b"<!doctype html><title>It works!</title>")


@dataclass(frozen=True, slots=True)
class Problem:
    """The reason why a request failed (RFC 9457)."""

    status: int
    detail: str
    headers: tuple[Header, ...] = ()

    def to_response(self) -> Response:
        """Return the problem as problem+json; 204 and 304 have no body."""
        if self.status in _WITHOUT_BODY:
            return Response(self.status, self.headers)
        problem = {
            "type": "about:blank",
            "title": self._title(),
            "status": self.status,
            "detail": self.detail,
        }
        return Response(self.status, (_PROBLEM, *self.headers), to_json(problem))

    def _title(self) -> str:
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return "Unknown"


def validation_problem(error: ValidationError) -> Problem:
    """Return a problem: 400 if the body is not JSON, else 422 with the path and error of each field."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    details = [": ".join(filter(None, (".".join(map(str, e["loc"])), e["msg"]))) for e in errors]
    is_json = all(e["type"] != "json_invalid" for e in errors)
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY if is_json else HTTPStatus.BAD_REQUEST, "; ".join(details))
