"""The memory of keyed writes: what each Idempotency-Key has done."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeVar

from mock_services.answers import Body, Problem
from mock_services.fields import Strict
from mock_services.requests import Request

__all__ = ["KeyedWrites", "keyed"]

S = TypeVar("S", bound=Strict)

_KEY: Final = re.compile(r'("?)((?!\.)[!#-.0-~]{1,255})\1')
_KEY_MISSING: Final = Problem(HTTPStatus.BAD_REQUEST, "Idempotency-Key is required")
_KEY_MALFORMED: Final = Problem(
    HTTPStatus.BAD_REQUEST,
    'Idempotency-Key should be 1 to 255 visible ASCII characters without "/" that do not begin with a dot',
)
_UNDONE: Final = Problem(HTTPStatus.CONFLICT, "Idempotency-Key has been undone")
_MISMATCH: Final = Problem(
    HTTPStatus.UNPROCESSABLE_ENTITY, "Idempotency-Key has been used for another request"
)


@dataclass(frozen=True, slots=True)
class _Tried:
    """A write that got as far as to be tried, and what came of it."""

    wanted: Strict
    answer: Body | Problem

    @property
    def took_effect(self) -> bool:
        return not isinstance(self.answer, Problem)


class KeyedWrites:
    """Makes each key take effect once at most, and never again after its undo.

    The checks of a write, in their order:

    1. 400: the key is missing or malformed.
    2. 400 or 422: the body is not JSON, or not what was asked for. It is not remembered, as nothing was
       tried, and so the key can still be used for a body that is right.
    3. 409: the key has been undone, be it before its write came or after. The body plays no part: an undo
       that came first has none to compare with.
    4. 422: the key was used for another body. Bodies are compared as understood, so "25" is "25.00".
    5. The answer of the first time, success or failure, where this is not the first time.
    6. The write, and its answer is remembered.

    A key may be quoted, as draft-ietf-httpapi-idempotency-key-header has it, and is the same key bare. What
    a path cannot carry ("/", and a dot at the beginning) is malformed, as such a write could not be undone.
    """

    def __init__(self) -> None:
        self._tried: dict[str, _Tried] = {}
        self._undone: set[str] = set()

    def write(
        self, request: Request, model: type[S], apply: Callable[[str, S], Body | Problem]
    ) -> Body | Problem:
        """Apply a write, or give the answer that its key has got before.

        `apply` gets the key and the body; it changes nothing where it returns a problem. Raises pydantic's
        ValidationError for a body that does not validate.
        """
        key = _read_key(request.header(b"idempotency-key"))
        if isinstance(key, Problem):
            return key
        wanted = model.model_validate_json(request.body)
        if key in self._undone:
            return _UNDONE
        if key not in self._tried:
            self._tried[key] = _Tried(wanted, apply(key, wanted))
        tried = self._tried[key]
        return tried.answer if tried.wanted == wanted else _MISMATCH

    def undo(self, request: Request, take_back: Callable[[str], None]) -> Problem | None:
        """Undo the write whose key is in the path, and leave a mark also where there is nothing to undo.

        `take_back` gets the key, and is called only if the write has taken effect and still has it.
        """
        key = _read_key(request.params["key"])
        if isinstance(key, Problem):
            return key
        if key not in self._undone and key in self._tried and self._tried[key].took_effect:
            take_back(key)
        self._undone.add(key)
        return None


def keyed(records: Mapping[str, Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
    """List what was written, each with its key."""
    return [{"key": key, **record} for key, record in records.items()]


def _read_key(text: str | None) -> str | Problem:
    if text is None:
        return _KEY_MISSING
    match = _KEY.fullmatch(text)
    return _KEY_MALFORMED if match is None else match[2]
