"""A response that can be sent again for the same idempotency key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self, final

from starlette.responses import Response

__all__ = ("StoredResponse",)

_REPLAYED: Final[Mapping[str, str]] = {"Idempotent-Replayed": "true"}


@final
@dataclass(frozen=True, slots=True)
class StoredResponse:
    """Status, headers and exact body of a response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def from_response(cls, response: Response) -> Self:
        """Return a copy of *response*, which must not be a streaming response."""
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return cls(response.status_code, headers, bytes(response.body))

    def build_response(self, *, is_replayed: bool) -> Response:
        """Return the response, with `Idempotent-Replayed` if it *is_replayed* for a later request."""
        headers = {**self.headers, **_REPLAYED} if is_replayed else self.headers
        return Response(self.body, self.status, headers)
