"""What a service sends back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

from pydantic_core import ValidationError, to_json

__all__ = ["Answer", "Body", "Header", "Problem", "problem_of"]

Header: TypeAlias = tuple[bytes, bytes]
Body: TypeAlias = Mapping[str, object] | Sequence[Mapping[str, object]]
"""What becomes JSON: the services write it as TypedDicts, which cost nothing at run time."""

_JSON: Final = (b"content-type", b"application/json")
_PROBLEM: Final = (b"content-type", b"application/problem+json")
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers and a body, ready to be sent."""

    status: int
    headers: tuple[Header, ...] = ()
    body: bytes = b""

    @classmethod
    def of(cls, status: int, body: Body | None) -> "Answer":
        """Answer with JSON, or with no body where there is none."""
        return cls(status) if body is None else cls(status, (_JSON,), to_json(body))

    @classmethod
    def garbage(cls) -> "Answer":
        """Promise JSON and send something else."""
        return cls(HTTPStatus.OK, (_JSON,), b"<!doctype html><title>It works!</title>")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a call was refused (RFC 9457)."""

    status: int
    detail: str
    headers: tuple[Header, ...] = ()

    def answer(self) -> Answer:
        """Write it as problem+json; a status that has no body goes without."""
        if self.status in _WITHOUT_BODY:
            return Answer(self.status, self.headers)
        problem = {
            "type": "about:blank",
            "title": self._title(),
            "status": self.status,
            "detail": self.detail,
        }
        return Answer(self.status, (_PROBLEM, *self.headers), to_json(problem))

    def _title(self) -> str:
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return "Unknown"


def problem_of(error: ValidationError) -> Problem:
    """Say what is wrong with a request: 400 where it is not JSON, else 422 with every field at fault.

    A field is named by its dotted path.
    """
    found = error.errors(include_url=False, include_context=False, include_input=False)
    details = [": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"]))) for one in found]
    is_json = all(one["type"] != "json_invalid" for one in found)
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY if is_json else HTTPStatus.BAD_REQUEST, "; ".join(details))
