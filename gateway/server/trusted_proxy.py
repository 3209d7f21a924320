"""Headers of trusted proxies: the client's address, the scheme, and the path prefix that a proxy removes."""

import os
import re
from collections.abc import Iterable
from typing import Any, Final, cast, final

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from gateway.api.path_prefix import LONGEST_PREFIX, PATH_PREFIX, forward_prefix

__all__ = ("TrustedProxyHeaders",)

_PREFIX: Final = re.compile(PATH_PREFIX)


@final
class TrustedProxyHeaders:
    """uvicorn's middleware for `X-Forwarded-For` and `X-Forwarded-Proto`, and one for `X-Forwarded-Prefix`.

    The trusted proxies are those of `FORWARDED_ALLOW_IPS`, by default those on 127.0.0.1, as in uvicorn.

    The prefix is for links only: the proxy has removed it from the path. So it does not change which endpoint
    the request reaches, even if a client has sent the header through a careless proxy. If several proxies
    have added one, the first is the outermost, and all are joined. A prefix that is no path (`PATH_PREFIX`),
    or too long, is ignored.
    """

    def __init__(self, app: ASGIApp) -> None:
        trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
        # uvicorn has types of its own for ASGI, which are private.
        inner = ProxyHeadersMiddleware(cast("Any", app), trusted)
        self._app = cast("ASGIApp", inner)
        self._trusted = inner.trusted_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle the request; its scope has the prefix, the client and the scheme that a proxy has named."""
        if scope["type"] == "http" and _get_host(scope) in self._trusted:
            forward_prefix(scope, _read_prefix(scope["headers"]))
        await self._app(scope, receive, send)


def _get_host(scope: Scope) -> str | None:
    client: tuple[str, int] | None = scope["client"]
    return None if client is None else client[0]


def _read_prefix(headers: Iterable[tuple[bytes, bytes]]) -> str:
    sent = b",".join(value for name, value in headers if name == b"x-forwarded-prefix")
    parts = [part.strip().rstrip("/") for part in sent.decode("latin-1").split(",")]
    prefix = "".join(parts)
    is_path = all(part == "" or _PREFIX.fullmatch(part) for part in parts)
    return prefix if is_path and len(prefix) <= LONGEST_PREFIX else ""
