"""Access control of the operator endpoints."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request

from gateway.api.admission.local_request import is_local_request
from gateway.api.headers import parse_bearer_token, read_fields
from gateway.api.problems.refusal import Refusal

__all__ = ("LOCAL_ONLY", "OPERATOR_ONLY", "OPERATOR_SECURITY", "require_operator")

OPERATOR_SECURITY: Final[dict[str, Any]] = {"security": [{"bearer": []}, {}]}
"""The OpenAPI security of an operator endpoint: a token, or nothing for requests from the gateway's host."""
LOCAL_ONLY: Final = (
    "Without GATEWAY_OPERATOR_TOKEN, this endpoint accepts only direct requests from the gateway's own host"
    " to localhost or an IP address, and none from pages of other origins; set the token to use it otherwise"
)
OPERATOR_ONLY: Final = (
    "The operator token is required, in the header Authorization: Bearer $GATEWAY_OPERATOR_TOKEN"
)


def require_operator(token: str | None) -> Callable[[Request], Awaitable[None]]:
    """Return a dependency that raises `Refusal` unless the request comes from an operator.

    An operator's request carries the *token*. If *token* is None, the request must come directly from this
    host (see `is_local_request`).
    """

    async def check_operator(request: Request) -> None:
        if token is None:
            if not is_local_request(request.scope):
                raise Refusal(code="forbidden", detail=LOCAL_ONLY)
        elif not hmac.compare_digest(
            (parse_bearer_token(read_fields(request.scope)) or "").encode(), token.encode()
        ):
            authenticate = {"WWW-Authenticate": "Bearer"}
            raise Refusal(code="unauthorized", detail=OPERATOR_ONLY, headers=authenticate)

    return check_operator
