"""Titles of statuses, the same on every version of Python."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

__all__ = ("find_title", "replace_phrase")

# Python before 3.13 has the phrases of earlier RFCs (python/cpython#102247).
_TITLES: Final[Mapping[int, str]] = MappingProxyType(
    {
        413: "Content Too Large",
        414: "URI Too Long",
        416: "Range Not Satisfiable",
        422: "Unprocessable Content",
    }
)


def find_title(status: int) -> str:
    """Return the phrase of *status* in RFC 9110: a problem type has one title (RFC 9457, 3.1.3)."""
    return _TITLES.get(status) or HTTPStatus(status).phrase


def replace_phrase(text: str, status: int) -> str:
    """Return the title of *status* if *text* is this Python's phrase for it, else *text*."""
    return _TITLES[status] if status in _TITLES and text == HTTPStatus(status).phrase else text
