"""Who may do what is for those who run the gateway."""

import hmac
from ipaddress import IPv6Address, ip_address
from typing import Final

from starlette.requests import Request

from gateway.api.incoming import bearer, fields
from gateway.railway import Err, Forbidden, Ok, Result, Unauthorized

__all__ = ("allowed_to_operate",)

_WANTED: Final = Unauthorized("The operator's token is required, in the header Authorization: Bearer TOKEN")
_ELSEWHERE: Final = Forbidden(
    "Only from the gateway's own machine, as long as GATEWAY_OPERATOR_TOKEN is not set"
)


def allowed_to_operate(request: Request, token: str | None) -> Result[None, Unauthorized | Forbidden]:
    """Say whether *request* comes from an operator: with the *token*, or from this machine if there is none.

    A proxy on this machine makes every request one from here unless it adds `X-Forwarded-For`: set a token.
    """
    if token is None:
        return Ok(None) if _is_near(request) else Err(_ELSEWHERE)
    shown = bearer(fields(request.scope)) or ""
    return Ok(None) if hmac.compare_digest(shown.encode(), token.encode()) else Err(_WANTED)


def _is_near(request: Request) -> bool:
    if request.client is None:
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
