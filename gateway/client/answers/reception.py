"""Reception of the responses of transports that are not the gateway's own."""

from collections.abc import Callable
from typing import cast

import httpx

from gateway.http1 import ReceivedResponse

__all__ = ("receive",)


async def receive(
    response: httpx.Response, needs_body: Callable[[ReceivedResponse], bool], limit: int
) -> ReceivedResponse:
    """Read *response*, and close it.

    The body is not read if *needs_body* returns False for the response without it.
    Reading stops after more than *limit* bytes. An exception of the transport is raised.
    """
    headers, extensions = response.headers.raw, response.extensions
    received = ReceivedResponse(response.status_code, headers, extensions=extensions)
    try:
        if not needs_body(received):
            return received
        body = bytearray()
        # `aiter_bytes` costs several times as much, and nothing here needs decoding.
        # Sound: an async transport returns an async stream.
        async for chunk in cast("httpx.AsyncByteStream", response.stream):
            body += chunk
            if len(body) > limit:
                break
        return ReceivedResponse(response.status_code, headers, bytes(body), extensions=extensions)
    finally:
        await response.aclose()
