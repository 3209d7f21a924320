"""Splitter of the bytes that a client sends: where a head ends, and where a body may end."""

import re
from typing import Final, final

from gateway.server.protocol.request_head import check_start

__all__ = ("RequestSplitter",)

_END: Final = b"\r\n\r\n"
_EMPTY_LINES: Final = re.compile(rb"[\r\n]*")


@final
class RequestSplitter:
    """Splits the bytes of a connection, so that the parser never reads beyond the end of a request.

    So the server knows where the next request begins, which the parser does not report, and how TCP cuts the
    bytes makes no difference.
    """

    __slots__ = ("_data", "_position", "_search")

    def __init__(self) -> None:
        self._data = b""
        self._position = 0
        """Position of the first byte that has not been taken."""
        self._search = 0
        """Position where the next empty line of a chunked body may begin: at most 3 bytes have been taken."""

    def __len__(self) -> int:
        """Return the number of bytes that have not been taken."""
        return len(self._data) - self._position

    def add(self, data: bytes) -> None:
        """Add *data*, which the client has sent."""
        self._data = self._data[self._search :] + data
        self._position -= self._search
        self._search = 0

    def skip_empty_lines(self) -> None:
        """Take the empty lines before a head, which a server should ignore (RFC 9112, 2.2)."""
        empty = _EMPTY_LINES.match(self._data, self._position)
        if empty is not None and empty.end() > self._position:
            self._take(empty.end(), empty.end())

    def take_head(self) -> bytes | None:
        """Take a head up to its empty line.

        Return None if its end is missing; raise `RequestError` if it cannot become a valid head.
        """
        end = self._data.find(_END, self._position) + len(_END)
        if end < len(_END):
            check_start(self._data[self._position :])
            return None
        return self._take(end, end)

    def take_body(self, length: int) -> bytes:
        """Take at most *length* bytes of a body."""
        end = min(self._position + length, len(self._data))
        return self._take(end, end)

    def take_chunks(self) -> bytes:
        """Take bytes of a chunked body up to the next empty line, as at its end (RFC 9112, 7.1).

        An empty line may also be part of the data, or be cut in two by the end of the received bytes.
        """
        found = self._data.find(_END, self._search)
        end = len(self._data) if found < 0 else found + len(_END)
        return self._take(end, max(self._search, end - len(_END) + 1))

    def _take(self, end: int, search: int) -> bytes:
        """Take the bytes before position *end*; do not keep taken bytes while others are awaited."""
        piece = self._data[self._position : end]
        self._position, self._search = end, search
        if end == len(self._data):
            self.add(b"")
        return piece
