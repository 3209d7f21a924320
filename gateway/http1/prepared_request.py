"""Request that is written already, and whose httpx attributes are created lazily."""

from typing import Any, NamedTuple, cast, final

import httpx
from typing_extensions import override

from gateway.http1.request_writer import parse_headers

__all__ = ("Origin", "PreparedRequest")


class Origin(NamedTuple):
    """Origin of a URL: its scheme, its host, and its port unless that is the default of the scheme."""

    scheme: str
    host: str
    port: int | None

    @classmethod
    def of(cls, url: httpx.URL) -> "Origin":
        """Return the origin of *url*."""
        return cls(url.scheme, url.host, url.port)


@final
class PreparedRequest(httpx.Request):
    """Request to *target* at *origin*, with *head* and *content* as they are sent.

    *target* is the path and the query, percent-encoded. *head* has the headers, as `format_headers` writes
    them, among them `Host` and the `Content-Length` of *content*.

    Other transports see an ordinary `httpx.Request`. Its constructor is not called, because it takes several
    times as long as sending the request, mostly for attributes that only other transports read.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a request
        self,
        method: str,
        origin: Origin,
        target: bytes,
        head: bytes,
        content: bytes,
        extensions: dict[str, Any],
    ) -> None:
        # Not the constructor of `httpx.Request`, which makes the parts.
        self.method = method
        self.extensions = extensions
        self.origin = origin
        self._target = target
        self._head = head
        self._body: bytes | None = content
        self._url: httpx.URL | None = None
        self._headers: httpx.Headers | None = None
        self._stream: httpx.SyncByteStream | httpx.AsyncByteStream | None = None

    @property
    def encoded(self) -> bytes | None:
        """Return the request as it is sent; None if its headers or its body may have been changed."""
        if self._headers is not None or self._body is None:
            return None
        return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (self.method.encode(), self._target, self._head, self._body)

    @property
    @override
    def url(self) -> httpx.URL:
        if self._url is None:
            scheme, host, port = self.origin
            self._url = httpx.URL(scheme=scheme, host=host, port=port, raw_path=self._target)
        return self._url

    @url.setter
    @override
    def url(self, url: httpx.URL) -> None:
        self._url = url
        self.origin = Origin.of(url)
        self._target = url.raw_path

    @property
    @override
    def headers(self) -> httpx.Headers:
        if self._headers is None:
            self._headers = httpx.Headers(parse_headers(self._head))
        return self._headers

    @headers.setter
    @override
    def headers(self, headers: httpx.Headers) -> None:
        self._headers = headers

    @property
    @override
    def stream(self) -> httpx.SyncByteStream | httpx.AsyncByteStream:
        if self._stream is None:
            self._stream = httpx.ByteStream(self._body or b"")
        return self._stream

    @stream.setter
    @override
    def stream(self, stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> None:
        self._stream = stream
        self._body = None

    @property
    @override
    def content(self) -> bytes:
        if self._body is None:
            raise httpx.RequestNotRead
        return self._body

    @override
    def read(self) -> bytes:
        if self._body is None:
            self._body = b"".join(cast("httpx.SyncByteStream", self._stream))
        return self._body

    @override
    async def aread(self) -> bytes:
        if self._body is None:
            self._body = b"".join([part async for part in cast("httpx.AsyncByteStream", self._stream)])
        return self._body
