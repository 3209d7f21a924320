"""Answer of a run: a response as it is stored, and sent again for the same idempotency key."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, final

__all__ = ("Answer",)

_SEPARATOR = b"\n"


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and exact body of a response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def encode(self) -> bytes:
        """Return the answer as bytes: status and headers as a line of JSON, then the body."""
        head = json.dumps([self.status, dict(self.headers)], separators=(",", ":"))
        return head.encode("ascii") + _SEPARATOR + self.body

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the answer that `encode` has turned into *data*."""
        head, _, body = data.partition(_SEPARATOR)
        status, headers = json.loads(head)
        return cls(status, headers, body)
