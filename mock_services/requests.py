"""What a caller sends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qsl

from mock_services.answers import Header
from mock_services.fields import Strict

__all__ = ["Request"]

S = TypeVar("S", bound=Strict)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read to its end."""

    method: str
    path: str
    query_string: bytes
    headers: Sequence[Header]
    params: Mapping[str, str]
    body: bytes

    def query(self, model: type[S]) -> S:
        """Read the query string, or raise pydantic's ValidationError."""
        return model.model_validate_strings(dict(self._pairs()))

    def query_lists(self, model: type[S]) -> S:
        """Read the query string, each parameter as a list, or raise pydantic's ValidationError."""
        lists: dict[str, list[str]] = {}
        for name, value in self._pairs():
            lists.setdefault(name, []).append(value)
        return model.model_validate(lists)

    def header(self, name: bytes) -> str | None:
        """Find a header by its name in lower case; repeated, it is a list with commas (RFC 9110, 5.3)."""
        values = [value.decode("latin-1") for key, value in self.headers if key == name]
        return ", ".join(values) if values else None

    def _pairs(self) -> Sequence[tuple[str, str]]:
        return parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True)
