"""URLs of one upstream service."""

import re
from typing import Final, final

import httpx
from pydantic import AnyHttpUrl, TypeAdapter, ValidationError

from gateway.http1 import Origin

__all__ = ("BaseUrl", "normalize_base_url", "redact_url")

_HTTP_URL: Final = TypeAdapter(AnyHttpUrl)
_URL: Final = re.compile(
    r"\s*(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
_AUTHORITY: Final = re.compile(r"(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::.*)?", re.IGNORECASE | re.DOTALL)
_INVALID_URL: Final = (
    "a service's URL must be http or https with a valid host and port, such as http://127.0.0.1:8101"
)
_HOST: Final = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]", re.IGNORECASE)


def normalize_base_url(base_url: str) -> str:
    """Return the base URL of a service in normal form, without a trailing slash.

    Raise `ValueError` unless it is a valid http or https URL without credentials, query or fragment.
    """
    try:
        url = _HTTP_URL.validate_python(base_url)
    except ValidationError:
        raise ValueError(_INVALID_URL) from None
    if _HOST.fullmatch(url.host or "") is None:
        raise ValueError(_INVALID_URL)
    if any(part is not None for part in (url.username, url.password, url.query, url.fragment)):
        msg = "a service's URL must not have credentials, a query or a fragment"
        raise ValueError(msg)
    return str(url).rstrip("/")


def redact_url(text: str) -> str:
    """Return the scheme and the host of the URL *text*, which may be invalid; empty if it has no scheme.

    Every other part may be a secret. For a scheme other than http and https, so may be the text in the place
    of the host.
    """
    found = _URL.fullmatch(text)
    if found is None:
        return ""
    # A password with a slash would make the text before it look like the host.
    is_http = found["scheme"].lower() in {"http", "https"} and "@" not in found["rest"]
    address = _AUTHORITY.fullmatch(found["authority"].rpartition("@")[2] if is_http else "")
    return f"{found['scheme']}://{address['host'] if address else ''}"


@final
class BaseUrl:
    """Base URL of a service, to which paths are joined.

    *origin* is the origin of the service, *host* the value of the `Host` header, *path_length* the number of
    octets before a joined path in the target of a request.

    Raise `ValueError` for a URL that `normalize_base_url` refuses.
    """

    __slots__ = ("_prefix", "host", "origin", "path_length")

    def __init__(self, base_url: str) -> None:
        url = httpx.URL(normalize_base_url(base_url))
        self._prefix = url.raw_path.rstrip(b"/").decode("ascii")
        self.origin: Final = Origin.of(url)
        self.host: Final[bytes] = url.netloc
        self.path_length: Final = len(self._prefix)

    def join(self, path: str, query: str = "") -> bytes:
        """Return the target of *path*, which begins with a slash, with *query*; both are percent-encoded."""
        target = f"{self._prefix}{path}?{query}" if query else f"{self._prefix}{path}"
        return target.encode("ascii")
