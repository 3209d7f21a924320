"""URLs of one upstream service."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypeAlias, final
from urllib.parse import quote, urlencode

import httpx
from pydantic import AnyHttpUrl, TypeAdapter, ValidationError

__all__ = ("BaseUrl", "Query", "normalize_base_url")

Query: TypeAlias = Sequence[tuple[str, str | int]]
"""Names and values in the order in which they are sent; a name may be repeated."""

_HTTP_URL: Final = TypeAdapter(AnyHttpUrl)
# Percent-encoding does not protect dots: `%2E%2E` means the same as `..`, and yarl resolves both.
# https://www.rfc-editor.org/rfc/rfc3986#section-2.3
_UNSAFE_SEGMENTS: Final = frozenset({"", ".", ".."})
_CACHE_SIZE: Final = 256
_MAX_CACHED_LENGTH: Final = 256


def normalize_base_url(base_url: str) -> str:
    """Return the base URL of a service in normal form, without a trailing slash.

    Raise `ValueError` unless it is a valid http or https URL without credentials, query or fragment.
    """
    try:
        url = _HTTP_URL.validate_python(base_url)
    except ValidationError:
        msg = (
            "a service's URL must be http or https with a valid host and port, such as http://127.0.0.1:8101"
        )
        raise ValueError(msg) from None
    if any(part is not None for part in (url.username, url.password, url.query, url.fragment)):
        msg = "a service's URL must not have credentials, a query or a fragment"
        raise ValueError(msg)
    return str(url).rstrip("/")


@final
class BaseUrl:
    """Base URL of a service, to which paths are joined; *host* is the value of the `Host` header.

    Raise `ValueError` for a URL that `normalize_base_url` refuses.
    """

    __slots__ = ("_base", "_parse", "host")

    def __init__(self, base_url: str) -> None:
        url = httpx.URL(normalize_base_url(base_url))
        self._base = str(url)
        # Parsing takes a large part of a call's CPU time. Most URLs recur; long ones rarely do.
        self._parse = lru_cache(_CACHE_SIZE)(httpx.URL)
        self.host: bytes = url.netloc

    def join(self, segments: Sequence[str], query: Query = ()) -> httpx.URL:
        """Return the URL of the path *segments*, each percent-encoded, with *query*.

        Raise `ValueError` for a segment that would change the path (empty, `.` or `..`), and if *segments* is
        a string.
        """
        if isinstance(segments, str):  # a string is a sequence of strings too
            msg = f"path segments must be a sequence of strings, got {segments!r}"
            raise ValueError(msg)  # noqa: TRY004 - like every other invalid segment
        path = "/".join([self._base, *map(_encode_segment, segments)])
        text = f"{path}?{urlencode(query, quote_via=quote, safe='')}" if query else path
        return self._parse(text) if len(text) < _MAX_CACHED_LENGTH else httpx.URL(text)


def _encode_segment(segment: str) -> str:
    if segment in _UNSAFE_SEGMENTS:
        msg = f"a path segment must not be empty, '.' or '..', got {segment!r}"
        raise ValueError(msg)
    return quote(segment, safe="")
