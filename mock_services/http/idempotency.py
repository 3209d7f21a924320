"""Idempotent writes: each Idempotency-Key takes effect at most once."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeVar

from mock_services.http.request import Request
from mock_services.http.response import Body, Problem
from mock_services.values.fields import RequestModel

__all__ = ["IdempotentWrites", "with_keys"]

S = TypeVar("S", bound=RequestModel)

_KEY: Final = re.compile(r'("?)((?!\.)[!#-.0-~]{1,255})\1')
_KEY_MISSING: Final = Problem(HTTPStatus.BAD_REQUEST, "Idempotency-Key is required")
_KEY_MALFORMED: Final = Problem(
    HTTPStatus.BAD_REQUEST,
    "Idempotency-Key should be 1 to 255 visible ASCII characters, bare or in double quotes, without a slash, "
    "and without a dot at the beginning",
)
_UNDONE: Final = Problem(HTTPStatus.CONFLICT, "Idempotency-Key has been undone")
_MISMATCH: Final = Problem(
    HTTPStatus.UNPROCESSABLE_ENTITY, "Idempotency-Key has been used for another request"
)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The first attempt of a write, and its result."""

    body: RequestModel
    result: Body | Problem

    @property
    def took_effect(self) -> bool:
        return not isinstance(self.result, Problem)


class IdempotentWrites:
    """Writes that are applied at most once per key, and never after their undo.

    The checks of a write, in this order:

    1. 400: the key is missing or malformed.
    2. 400 or 422: the body is not valid. This is not recorded, so the key can still be used with a valid
       body.
    3. 409: the key was undone, before or after its write arrived. The body is not compared: if the undo
       arrived first, no body is recorded.
    4. 422: the key was used with another body. Parsed bodies are compared, so "25" equals "25.00".
    5. A repeat returns the result of the first attempt, success or failure.
    6. The write is applied, and its result recorded.

    A key may be quoted (draft-ietf-httpapi-idempotency-key-header), which makes no difference. A key that
    cannot be a path segment (with "/" or a leading dot) is malformed, because its write could not be undone.
    """

    def __init__(self) -> None:
        self._attempts: dict[str, _Attempt] = {}
        self._undone: set[str] = set()

    def write(
        self, request: Request, model: type[S], apply: Callable[[str, S], Body | Problem]
    ) -> Body | Problem:
        """Apply a write and return its result; return the recorded result if the request is a repeat.

        Return a problem if the request fails one of the checks above. *apply* takes the key and the body, and
        must not change anything if it returns a problem. Raises pydantic's ValidationError if the body is
        invalid.
        """
        key = _read_key(request.header(b"idempotency-key"))
        if isinstance(key, Problem):
            return key
        body = model.model_validate_json(request.body)
        if key in self._undone:
            return _UNDONE
        if key not in self._attempts:
            self._attempts[key] = _Attempt(body, apply(key, body))
        attempt = self._attempts[key]
        return attempt.result if attempt.body == body else _MISMATCH

    def undo(self, request: Request, revert: Callable[[str], None]) -> Problem | None:
        """Undo the write whose key is in the path; return a problem if the key is malformed, else None.

        The key is recorded as undone even if no write had it, so that a late write is rejected. *revert*
        takes the key, and is called only if the write is in effect.
        """
        key = _read_key(request.params["key"])
        if isinstance(key, Problem):
            return key
        if key not in self._undone and key in self._attempts and self._attempts[key].took_effect:
            revert(key)
        self._undone.add(key)
        return None


def with_keys(records: Mapping[str, Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
    """Return the records, each with its key."""
    return [{"key": key, **record} for key, record in records.items()]


def _read_key(text: str | None) -> str | Problem:
    if text is None:
        return _KEY_MISSING
    match = _KEY.fullmatch(text)
    return _KEY_MALFORMED if match is None else match[2]
