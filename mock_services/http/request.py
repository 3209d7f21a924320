"""Requests to the mock services."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qsl

from mock_services.http.response import Header
from mock_services.values.fields import RequestModel

__all__ = ["Request"]

S = TypeVar("S", bound=RequestModel)


@dataclass(frozen=True, slots=True)
class Request:
    """A request with its whole body."""

    method: str
    path: str
    query_string: bytes
    headers: Sequence[Header]
    params: Mapping[str, str]
    body: bytes

    def query(self, model: type[S]) -> S:
        """Parse the query string; raises ValidationError if it is invalid."""
        return model.model_validate_strings(dict(self._pairs()))

    def query_lists(self, model: type[S]) -> S:
        """Parse the query string, each parameter as a list; raises ValidationError if it is invalid."""
        lists: dict[str, list[str]] = {}
        for name, value in self._pairs():
            lists.setdefault(name, []).append(value)
        return model.model_validate(lists)

    def header(self, name: bytes) -> str | None:
        """Return the header *name* (in lower case), or None if it is missing.

        Repeated values are joined by commas (RFC 9110, 5.3).
        """
        values = [value.decode("latin-1") for key, value in self.headers if key == name]
        return ", ".join(values) if values else None

    def _pairs(self) -> Sequence[tuple[str, str]]:
        return parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True)
