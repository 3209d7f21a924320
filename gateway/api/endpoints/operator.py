"""Who may do what is for those who run the gateway."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request

from gateway.api.admission.client_address import address
from gateway.api.pipeline_route.headers import bearer, fields
from gateway.api.problems.refusal import Refusal

__all__ = ("OPERATOR", "refuse_others")

OPERATOR: Final[dict[str, Any]] = {"security": [{"bearer": []}, {}]}
"""What an operation says of itself that is for operators: a token, or nothing from the gateway's machine."""
_FORWARDED: Final = frozenset({"forwarded", "x-forwarded-for"})


def refuse_others(token: str | None) -> Callable[[Request], Awaitable[None]]:
    """Make what raises `Refusal` unless a request comes from an operator.

    That is who has the *token*, or is on this machine if there is none, and not somebody for whom a proxy
    speaks. A proxy on this machine that adds neither `Forwarded` nor `X-Forwarded-For` makes every request
    one from here: set a token.
    """

    async def refuse(request: Request) -> None:
        if token is None:
            if not _is_near(request):
                detail = "Only from the gateway's own machine, as long as GATEWAY_OPERATOR_TOKEN is not set"
                raise Refusal(code="forbidden", detail=detail)
        elif not hmac.compare_digest((bearer(fields(request.scope)) or "").encode(), token.encode()):
            detail = "The operator's token is required, in the header Authorization: Bearer TOKEN"
            raise Refusal(code="unauthorized", detail=detail, headers={"WWW-Authenticate": "Bearer"})

    return refuse


def _is_near(request: Request) -> bool:
    if not _FORWARDED.isdisjoint(request.headers.keys()):
        return False  # whoever forwards a request speaks for somebody else, and says who it is as it likes
    found = address(request.scope)
    return found is not None and found.is_loopback
