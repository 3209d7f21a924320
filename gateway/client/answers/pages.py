"""Pages: HTML, which comes from a proxy rather than from an HTTP API."""

import re
from typing import Final

import httpx

from gateway.client.answers.body import is_without_content, read_start
from gateway.client.answers.refusals import list_media_types
from gateway.observability.reason import Reason

__all__ = ("PAGE", "begins_like_page", "is_page")

PAGE: Final = Reason("an HTML page, not recognizably from the service")

_START_LENGTH: Final = 1_024
_MEDIA_TYPES: Final = frozenset({"text/html", "application/xhtml+xml"})
_START: Final = re.compile(
    rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*(?:<\?xml\b[^>]*>\s*)?<(?:!--|(?:!doctype\s+html|html|head|body|title|meta"
    rb"|script|style|iframe|center|h1|div|font|table|a|b|br|p)\b)",
    re.IGNORECASE,
)
"""Start of a page, as browsers recognize it (https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type).

Added are `meta`, `center` and the XML declaration.
"""


async def is_page(response: httpx.Response, limit: int) -> bool:
    """Return whether *response* is a page, declared as such or not.

    Read at most *limit* bytes of the body to find out.
    """
    if is_without_content(response):
        return False
    if not _MEDIA_TYPES.isdisjoint(list_media_types(response)):
        return True
    return begins_like_page(await read_start(response, limit))


def begins_like_page(body: bytes) -> bool:
    """Return whether *body*, in UTF-8 or UTF-16, begins like a page."""
    start = body[:_START_LENGTH].replace(b"\0", b"")  # ASCII in UTF-16 has a null in each character
    return _START.match(start) is not None
