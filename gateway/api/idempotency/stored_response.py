"""An answer that can be given again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self, final

from starlette.responses import Response

__all__ = ("StoredResponse",)

_REPLAYED: Final[Mapping[str, str]] = {"Idempotent-Replayed": "true"}


@final
@dataclass(frozen=True, slots=True)
class StoredResponse:
    """What was answered, to the byte."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, answer: Response) -> Self:
        """Keep *answer*, which is whole."""
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return cls(answer.status_code, headers, bytes(answer.body))

    def again(self, *, is_replayed: bool) -> Response:
        """Give the answer; one that another request has had already says so."""
        headers = {**self.headers, **_REPLAYED} if is_replayed else self.headers
        return Response(self.body, self.status, headers)
