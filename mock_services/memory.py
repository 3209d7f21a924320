"""What a service remembers beyond the end of its process: every write that it got, in their order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from mock_services.fields import Strict
from mock_services.requests import Request

__all__ = ["CannotRememberError", "Memory"]

_KEY: Final = b"idempotency-key"


class CannotRememberError(Exception):
    """The file cannot be used; the message says why, for whoever started the program."""


class _Line(Strict):
    method: str
    path: str
    key: str | None
    body: str
    """Its bytes, one character each."""


class Memory:
    """A file of JSON lines: a write stands there before it is handled, so that no kill can lose it.

    A service is deterministic: the same writes, handled again, make the same of it, ids and answers included.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("a+b") as file:
                file.seek(0)
                whole, end, _ = file.read().rpartition(b"\n")
                self._past = [_Line.model_validate_json(line) for line in whole.splitlines()]
                # A kill in the middle of a line: its write was not handled.
                file.truncate(len(whole + end))
        except (OSError, ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else "there is something else in it"
            message = f"cannot keep state in {path}: {reason}"
            raise CannotRememberError(message) from error

    def recall(self) -> Iterator[Request]:
        """Give the writes that were there at the start."""
        for line in self._past:
            headers = [] if line.key is None else [(_KEY, line.key.encode("latin-1"))]
            yield Request(line.method, line.path, b"", headers, {}, line.body.encode("latin-1"))

    def add(self, request: Request) -> None:
        """Remember a write."""
        line = _Line(
            method=request.method,
            path=request.path,
            key=request.header(_KEY),
            body=request.body.decode("latin-1"),
        )
        with self._path.open("ab") as file:
            file.write(line.model_dump_json().encode() + b"\n")

    def forget(self) -> None:
        """Forget all writes."""
        self._path.write_bytes(b"")
        self._past = []
