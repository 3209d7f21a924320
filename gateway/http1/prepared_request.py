"""Request whose httpx parts are made when they are looked at."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import httpx
from typing_extensions import override

__all__ = ("PreparedRequest",)


@final
class PreparedRequest(httpx.Request):
    """Request with *headers* and *content* as they are sent; for other transports it is any `httpx.Request`.

    The constructor of `httpx.Request` takes several times as long as `Http1Transport` takes to write the
    request, mostly for parts that only other transports read.
    """

    def __init__(
        self,
        method: str,
        url: httpx.URL,
        headers: Sequence[tuple[bytes, bytes]],
        content: bytes,
        extensions: Mapping[str, Any],
    ) -> None:
        # Not the constructor of `httpx.Request`, which makes the parts.
        self.method = method
        self.url = url
        self.extensions = dict(extensions)
        self.raw_headers = headers
        """The headers, in order; other headers are assigned to `headers`."""
        self._body: Final = content
        self._headers: httpx.Headers | None = None
        self._stream: httpx.SyncByteStream | httpx.AsyncByteStream | None = None

    @property
    @override
    def headers(self) -> httpx.Headers:
        if self._headers is None:
            self._headers = httpx.Headers(list(self.raw_headers))
        return self._headers

    @headers.setter
    @override
    def headers(self, headers: httpx.Headers) -> None:
        self._headers = headers
        self.raw_headers = headers.raw

    @property
    @override
    def stream(self) -> httpx.SyncByteStream | httpx.AsyncByteStream:
        if self._stream is None:
            self._stream = httpx.ByteStream(self._body)
        return self._stream

    @stream.setter
    @override
    def stream(self, stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> None:
        self._stream = stream

    @property
    @override
    def content(self) -> bytes:
        return self._body

    @override
    def read(self) -> bytes:
        return self._body

    @override
    async def aread(self) -> bytes:
        return self._body
