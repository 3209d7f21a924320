"""Access control of the operator endpoints."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request

from gateway.api.admission.client_address import find_client_address
from gateway.api.headers import parse_bearer_token, read_fields
from gateway.api.problems.refusal import Refusal

__all__ = ("LOCAL_ONLY", "OPERATOR_ONLY", "OPERATOR_SECURITY", "require_operator")

OPERATOR_SECURITY: Final[dict[str, Any]] = {"security": [{"bearer": []}, {}]}
"""The OpenAPI security of an operator endpoint: a token, or nothing for requests from the gateway's host."""
LOCAL_ONLY: Final = (
    "This endpoint accepts only direct requests from the gateway's own host; set GATEWAY_OPERATOR_TOKEN to"
    " use it from elsewhere"
)
OPERATOR_ONLY: Final = (
    "The operator token is required, in the header Authorization: Bearer $GATEWAY_OPERATOR_TOKEN"
)
_FORWARDED: Final = frozenset({"forwarded", "x-forwarded-for"})


def require_operator(token: str | None) -> Callable[[Request], Awaitable[None]]:
    """Return a dependency that raises `Refusal` unless the request comes from an operator.

    An operator's request carries the *token*. If *token* is None, the request must come from this host, and
    not through a proxy. A proxy on this host that adds neither `Forwarded` nor `X-Forwarded-For` makes every
    request look local: set a token if there is such a proxy.
    """

    async def check_operator(request: Request) -> None:
        if token is None:
            if not _is_local(request):
                raise Refusal(code="forbidden", detail=LOCAL_ONLY)
        elif not hmac.compare_digest(
            (parse_bearer_token(read_fields(request.scope)) or "").encode(), token.encode()
        ):
            authenticate = {"WWW-Authenticate": "Bearer"}
            raise Refusal(code="unauthorized", detail=OPERATOR_ONLY, headers=authenticate)

    return check_operator


def _is_local(request: Request) -> bool:
    if not _FORWARDED.isdisjoint(request.headers.keys()):
        return False  # it came through a proxy, and clients can forge the addresses in these headers
    client = find_client_address(request.scope)
    return client is not None and client.is_loopback
