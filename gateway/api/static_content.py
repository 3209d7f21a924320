"""Content that is the same for every request: made once, sent with an ETag, within a limit of its own."""

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from gateway.api.admission.admission import OVERLOADED, AdmissionSlot
from gateway.api.admission.in_flight import InFlightLimit
from gateway.api.openapi.responses import declare_failures
from gateway.api.path_prefix import get_prefix
from gateway.railway import Unavailable

__all__ = ("StaticContent", "declare_static_responses")

_ETAG_DIGITS: Final = 32
_MAX_PREFIXES: Final = 8
"""Path prefixes for which content is kept; a gateway has one, or two behind a proxy."""


@final
class StaticContent:
    """Content of an endpoint; *build* makes it once for each path prefix under which it is requested.

    A request that has the content already, as its `If-None-Match` says, gets a 304 without a body (RFC 9110,
    13.1.2). Each response takes a slot of *limit* until it is sent, and is a 503 if none is free: without a
    limit, a client could request the largest document many times at once.
    """

    def __init__(
        self,
        build: Callable[[str], bytes],
        media_type: str,
        limit: InFlightLimit,
        cache_control: str = "no-cache",
    ) -> None:
        self._media_type = media_type
        self._limit = limit
        self._cache_control = cache_control

        @lru_cache(_MAX_PREFIXES)
        def build_with_tag(prefix: str) -> tuple[bytes, str]:
            body = build(prefix)
            return body, f'"{hashlib.sha256(body).hexdigest()[:_ETAG_DIGITS]}"'

        self._build = build_with_tag

    def respond(self, request: Request) -> Response:
        """Return the response to *request*."""
        body, tag = self._build(get_prefix(request.scope))
        headers = {"ETag": tag, "Cache-Control": self._cache_control}
        if _has_tag(request, tag):
            return _LimitedResponse(self._limit, HTTPStatus.NOT_MODIFIED, headers)
        return _LimitedResponse(self._limit, HTTPStatus.OK, headers, body, self._media_type)


def declare_static_responses(path: str) -> dict[int | str, dict[str, Any]]:
    """Return FastAPI's `responses` for the responses of a `StaticContent` at *path*, besides the content."""
    return {
        304: {"description": "The client has the current content, as its `If-None-Match` says."},
        **declare_failures(path, Unavailable(OVERLOADED, retry_after=1)),
    }


@final
class _LimitedResponse(Response):
    """Response that takes a slot of *limit* while it is sent."""

    def __init__(
        self,
        limit: InFlightLimit,
        status: HTTPStatus,
        headers: Mapping[str, str],
        content: bytes | None = None,
        media_type: str | None = None,
    ) -> None:
        super().__init__(content, status, headers, media_type)
        self._limit = limit

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response; raise `Refusal` if no slot is free."""
        with AdmissionSlot(self._limit):
            await super().__call__(scope, receive, send)


def _has_tag(request: Request, tag: str) -> bool:
    """Return whether `If-None-Match` of *request* lists *tag*; weak tags count too (RFC 9110, 13.1.2)."""
    listed = ",".join(request.headers.getlist("if-none-match")).split(",")
    tags = [value.strip().removeprefix("W/") for value in listed]
    return tag in tags or tags == ["*"]
