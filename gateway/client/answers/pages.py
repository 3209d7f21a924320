"""Pages: HTML, which comes from a proxy rather than from an HTTP API."""

import re
from typing import Final

import httpx

from gateway.client.answers.refusals import list_media_types
from gateway.observability.reason import Reason

__all__ = ("PAGE", "begins_like_page", "is_labelled_page")

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


def is_labelled_page(response: httpx.Response) -> bool:
    """Return whether *response* is declared as a page."""
    return not _MEDIA_TYPES.isdisjoint(list_media_types(response))


def begins_like_page(body: bytes) -> bool:
    """Return whether *body*, in UTF-8 or UTF-16, begins like a page."""
    start = body[:_START_LENGTH].replace(b"\0", b"")  # ASCII in UTF-16 has a null in each character
    return _START.match(start) is not None
