"""Where a service is."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypeAlias, final
from urllib.parse import quote, urlencode

import httpx

__all__ = ("Address", "Query")

Query: TypeAlias = Sequence[tuple[str, str | int]]
"""Names and values in the order in which they are sent; a name may be repeated."""

_DOTS: Final = frozenset({"", ".", ".."})
_REMEMBERED: Final = 256
_LONG: Final = 256


@final
class Address:
    """The URL of a service, and those of the things in it.

    A *base_url* that is not plain http or https, or has more to it than a path, is a `ValueError`.
    """

    __slots__ = ("_base", "_parsed", "host")

    def __init__(self, base_url: str) -> None:
        url = httpx.URL(base_url)
        if url.scheme not in {"http", "https"} or not url.host:
            msg = "a service's address starts with http:// or https:// and a host"
            raise ValueError(msg)
        if url.userinfo or url.query or url.fragment:
            msg = "a service's address has no user, query or fragment"
            raise ValueError(msg)
        self._base = str(url).rstrip("/")
        # Parsing is a large part of a call's CPU, and most paths are asked for again; long ones are seldom.
        self._parsed = lru_cache(_REMEMBERED)(httpx.URL)
        self.host: bytes = url.netloc

    def url(self, segments: Sequence[str], query: Query = ()) -> httpx.URL:
        """Give the URL of *segments*, each percent-encoded, so that none of them can become a path.

        One that would (empty, `.` or `..`) is a `ValueError`; so is a path in the place of its segments.
        """
        if isinstance(segments, str):  # which is a sequence of strings too
            msg = f"{segments!r} is no sequence of segments"
            raise ValueError(msg)  # noqa: TRY004 - as for what else is no segment
        path = "/".join([self._base, *map(_encoded, segments)])
        text = f"{path}?{urlencode(query, quote_via=quote, safe='')}" if query else path
        return self._parsed(text) if len(text) < _LONG else httpx.URL(text)


def _encoded(segment: str) -> str:
    if segment in _DOTS:
        msg = f"{segment!r} is no segment of a path"
        raise ValueError(msg)
    return quote(segment, safe="")
