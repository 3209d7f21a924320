"""Log of the writes of a service, in a file that survives its process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from mock_services.http.request import Request
from mock_services.values.fields import RequestModel

__all__ = ["WriteLog", "WriteLogError"]

_KEY: Final = b"idempotency-key"


class WriteLogError(Exception):
    """The file of a write log cannot be used; the message contains the path and the reason."""


class _Line(RequestModel):
    method: str
    path: str
    key: str | None
    body: str
    """The bytes of the body, decoded as Latin-1."""


class WriteLog:
    """A file of JSON lines. Each write is appended before it is handled, so that a SIGKILL cannot lose it.

    Services are deterministic: replaying the writes restores the state, ids and responses included.
    The constructor creates a missing file, and removes an incomplete last line.
    Raises WriteLogError if the file cannot be read or contains other data.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("a+b") as file:
                file.seek(0)
                lines, newline, _ = file.read().rpartition(b"\n")
                self._lines = [_Line.model_validate_json(line) for line in lines.splitlines()]
                # A SIGKILL can leave an incomplete last line, whose write was not handled.
                file.truncate(len(lines + newline))
        except (OSError, ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not a write log"
            message = f"cannot use {path} as the --state file: {reason}"
            raise WriteLogError(message) from error

    def read(self) -> Iterator[Request]:
        """Yield the writes that were in the file when it was opened; nothing after `clear`."""
        for line in self._lines:
            headers = [] if line.key is None else [(_KEY, line.key.encode("latin-1"))]
            yield Request(line.method, line.path, b"", headers, {}, line.body.encode("latin-1"))

    def append(self, request: Request) -> None:
        """Append a write."""
        line = _Line(
            method=request.method,
            path=request.path,
            key=request.header(_KEY),
            body=request.body.decode("latin-1"),
        )
        with self._path.open("ab") as file:
            file.write(line.model_dump_json().encode() + b"\n")

    def clear(self) -> None:
        """Remove all writes."""
        self._path.write_bytes(b"")
        self._lines = []
