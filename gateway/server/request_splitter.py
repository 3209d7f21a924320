"""Splitter of the bytes that a client sends: where a head ends, and where a body may end."""

from typing import Final, final

from gateway.server.request_head import check_start

__all__ = ("RequestSplitter",)

_END: Final = b"\r\n\r\n"


@final
class RequestSplitter:
    """Splits the bytes of a connection, so that the parser never reads beyond the end of a request.

    The server knows then where the next request begins, although the parser does not tell, and it is
    indifferent to the segments in which TCP delivers the bytes.
    """

    __slots__ = ("_received", "_tail")

    def __init__(self) -> None:
        self._received = b""
        self._tail = b""

    def __len__(self) -> int:
        """Return the number of bytes that have not been taken."""
        return len(self._received)

    def add(self, data: bytes) -> None:
        """Add *data*, which the client has sent."""
        self._received = self._received + data if self._received else data

    def take_head(self) -> bytes | None:
        """Take a head up to its empty line, without empty lines before it (RFC 9112, 2.2).

        Return None if its end is missing; raise `HeadError` if it cannot become a valid head.
        """
        received = self._received = self._received.lstrip(b"\r\n")
        end = received.find(_END) + len(_END)
        if end < len(_END):
            if received:
                check_start(received)
            return None
        self._received, self._tail = received[end:], b""
        return received[:end]

    def take_body(self, length: int) -> bytes:
        """Take at most *length* bytes of a body."""
        piece, self._received = self._received[:length], self._received[length:]
        return piece

    def take_chunks(self) -> bytes:
        """Take bytes of a chunked body up to the next empty line, as at its end (RFC 9112, 7.1).

        An empty line may also be part of the data, or be cut in two by the end of the received bytes.
        """
        tail = self._tail
        joined = tail + self._received
        end = joined.find(_END) + len(_END)
        if end < len(_END):
            end = len(joined)
        self._tail = joined[max(0, end - 3) : end]
        piece, self._received = joined[len(tail) : end], joined[end:]
        return piece
