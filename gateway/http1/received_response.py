"""Response that has been read, and whose httpx attributes are created lazily."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, final

import httpx
from typing_extensions import override

__all__ = ("HeaderFields", "ReceivedResponse", "index_headers")

HeaderFields: TypeAlias = Mapping[bytes, bytes]
"""Values of headers by name in lower case; those of a repeated header are joined by commas."""

_NO_EXTENSIONS: Final[Mapping[str, Any]] = {}


def index_headers(headers: Sequence[tuple[bytes, bytes]]) -> HeaderFields:
    """Return the fields of *headers*."""
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        lower = name.lower()
        fields[lower] = b"%b, %b" % (fields[lower], value) if lower in fields else value
    return fields


@final
class ReceivedResponse(httpx.Response):
    """Response with *headers* as they were received, their *fields*, and a *body* that has been read.

    *error* has cut the body short, if it is not None. For other code it is any `httpx.Response`, whose body
    is yet to be read. The constructor of that takes several times as long as reading a response.
    """

    def __init__(  # noqa: PLR0913 - the parts of a response
        self,
        status_code: int,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes = b"",
        *,
        error: Exception | None = None,
        fields: HeaderFields | None = None,
        extensions: Mapping[str, Any] = _NO_EXTENSIONS,
    ) -> None:
        # Not the constructor of `httpx.Response`: `__getattr__` calls it.
        self.status_code = status_code
        self.raw_headers = headers
        self.fields = index_headers(headers) if fields is None else fields
        self._raw_body = body
        self._error = error
        self._given_extensions = extensions
        self._has_parts = False

    @property
    def body(self) -> bytes:
        """Return the body as it was received, or raise the error that has cut it short."""
        if self._error is not None:
            raise self._error
        return self._raw_body

    def __getattr__(self, name: str) -> object:
        """Create the attributes of `httpx.Response` on the first access to one of them."""
        if self._has_parts:
            raise AttributeError(name)
        self._has_parts = True
        assigned = vars(self).copy()  # other code may have set attributes, such as `request`
        super().__init__(
            self.status_code,
            headers=list(self.raw_headers),
            stream=_Stream(self._raw_body, self._error),
            extensions=dict(self._given_extensions),
        )
        vars(self).update(assigned)
        return getattr(self, name)


@final
class _Stream(httpx.AsyncByteStream):
    """Body that has been read, and the error that has cut it short, if any."""

    def __init__(self, body: bytes, error: Exception | None) -> None:
        self._body = body
        self._error = error

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._body:
            yield self._body
        if self._error is not None:
            raise self._error
