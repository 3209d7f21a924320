"""Reader of the responses on one connection: from bytes to status, headers and body, within limits."""

from typing import Final, Never, final

import httptools
import httpx

from gateway.http1.received_response import HeaderFields, index_headers
from gateway.http1.terms import TransportTerms

__all__ = ("Message", "ResponseReader")

_FIRST: Final = 100
_FIRST_FINAL: Final = 200
_SWITCHING_PROTOCOLS: Final = 101


@final
class Message:
    """Response, as far as it has been read; *has_head* from the end of its head on, *is_complete* at its end.

    *version* is that of HTTP, such as `1.1`; *fields* are the *headers* by name. If *ends_with_connection*,
    the end of the connection is the end of the body. If the rest of the body cannot be read, *error* says
    why.
    """

    __slots__ = (
        "body",
        "ends_with_connection",
        "error",
        "fields",
        "has_head",
        "headers",
        "is_complete",
        "reason",
        "status",
        "version",
    )

    def __init__(self) -> None:
        self.status = 0
        self.reason = b""
        self.version = ""
        self.fields: HeaderFields = {}
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: list[bytes] = []
        self.has_head = self.is_complete = False
        self.ends_with_connection = True
        self.error: httpx.RequestError | None = None


@final
class ResponseReader:
    """Reader of the responses on one connection; `expect` announces each of them.

    `feed` raises `httpx.DecodingError` for bytes that are no response to an announced request, and for a
    response over the limits of *terms*.
    """

    __slots__ = (
        "_body",
        "_head_length",
        "_head_size",
        "_headers",
        "_interim",
        "_is_head_request",
        "_max_body",
        "_parser",
        "_size",
        "_terms",
        "can_reuse",
        "message",
    )

    def __init__(self, terms: TransportTerms) -> None:
        self._terms = terms
        self._parser = httptools.HttpResponseParser(self)
        self.message: Message | None = None
        """The response that is expected, or None."""
        self.can_reuse = True
        """True if another request can be sent on the connection."""

    def expect(self, method: str, max_body: int) -> Message:
        """Return the response to a request with *method*, still empty.

        Its body may have at most *max_body* bytes.
        """
        self.message = message = Message()
        self._headers, self._body = message.headers, message.body
        self._is_head_request = method == "HEAD"
        self._max_body = max_body
        self._head_size = self._head_length = self._interim = self._size = 0
        return message

    def feed(self, data: bytes) -> bool:
        """Read *data*, and return whether the response is complete."""
        message = self.message
        if message is None:
            self.can_reuse = False
            msg = "data without a request"
            raise httpx.DecodingError(msg)
        size = self._size
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.can_reuse = False
            if message.is_complete:  # what follows the response belongs to no request
                return True
            if isinstance(error.__context__, httpx.DecodingError):
                raise error.__context__ from None
            msg = f"malformed response: {error}"
            raise httpx.DecodingError(msg) from error
        if not message.is_complete:
            self._count_overhead(0 if self._size > size else len(data))
        return message.is_complete

    def _count_overhead(self, length: int) -> None:
        """Bound what the parser holds back: part of a head, of the trailers or of an extension of a chunk."""
        self._head_length = self._head_length + length if length else 0
        if self._head_length > self._terms.max_head:
            self._reject(f"more than {self._terms.max_head} bytes of head")

    def feed_eof(self) -> bool:
        """Return whether the end of the connection is the end of the message."""
        message = self.message
        self.can_reuse = False
        if message is None or not message.has_head or not message.ends_with_connection:
            return False
        message.is_complete = True
        return True

    def on_message_begin(self) -> None:
        """Refuse a second response to the same request."""
        message = self.message
        if message is None or message.is_complete:
            self._reject("a response without a request")

    def on_status(self, reason: bytes) -> None:
        """Note the reason phrase, which may come in parts."""
        self._expected.reason += reason
        self._count_head(len(reason))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header, within the limits; ignore a trailer (RFC 9110, 6.5.1), which follows the body."""
        terms, size = self._terms, len(name) + len(value)
        if size > terms.max_header:
            self._reject(f"a header of more than {terms.max_header} bytes")
        if len(self._headers) == terms.max_headers:
            self._reject(f"more than {terms.max_headers} headers")
        self._count_head(size)
        if not self._expected.has_head:
            self._headers.append((name, value))

    def _count_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > self._terms.max_head:
            self._reject(f"more than {self._terms.max_head} bytes of head")

    def on_headers_complete(self) -> None:
        """Note the status; drop the head of an interim response."""
        message, status = self._expected, self._parser.get_status_code()
        if status < _FIRST_FINAL:
            self._drop_interim(message, status)
            return
        message.status, message.version = status, self._parser.get_http_version()
        message.fields, message.has_head = index_headers(message.headers), True
        if (length := message.fields.get(b"content-length")) is not None:
            self._check_length(message, length)
        if (encoding := message.fields.get(b"transfer-encoding")) is not None:
            self._check_encoding(message, encoding)
        if self._is_head_request:
            # The parser would wait for the body that the headers describe.
            message.is_complete, self.can_reuse = True, False
            self._reject("the end of the response to HEAD")

    def _check_length(self, message: Message, value: bytes) -> None:
        """Refuse a body by its length, so that it need not be read."""
        message.ends_with_connection = False
        if not self._is_head_request and int(value) > self._max_body:
            self._reject(f"a body of more than {self._max_body} bytes")

    def _check_encoding(self, message: Message, value: bytes) -> None:
        """Refuse a body that is encoded in another way than in chunks, or more than once."""
        if value.strip().lower() != b"chunked" or not message.ends_with_connection:
            self._reject("an unknown Transfer-Encoding")
        message.ends_with_connection = False

    def on_body(self, data: bytes) -> None:
        """Note a part of the body, within the limit."""
        self._size += len(data)
        if self._size > self._max_body:
            self._reject(f"a body of more than {self._max_body} bytes")
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Note the end of a final response."""
        message = self._expected
        if message.has_head:
            message.is_complete = True
            self.can_reuse = self.can_reuse and self._parser.should_keep_alive()

    @property
    def _expected(self) -> Message:
        if self.message is None:  # pragma: no cover - `on_message_begin` has refused it
            self._reject("a response without a request")
        return self.message

    def _drop_interim(self, message: Message, status: int) -> None:
        self._interim += 1
        if status < _FIRST:
            self._reject(f"status {status}")
        if status == _SWITCHING_PROTOCOLS:
            self._reject("101 Switching Protocols without an offer")
        if self._interim > self._terms.max_interim:
            self._reject(f"more than {self._terms.max_interim} interim responses")
        message.headers.clear()
        message.reason = b""
        self._head_size = 0

    def _reject(self, reason: str) -> Never:
        self.can_reuse = False
        raise httpx.DecodingError(reason)
