"""Idempotency-Key: its parsing, its caller, and the id of an execution without a key."""

import re
from secrets import token_hex
from typing import Final

from gateway.api.headers import HeaderFields, parse_bearer_token
from gateway.api.problems.refusal import Refusal

__all__ = ("create_execution_id", "identify_caller", "parse_key")

# The draft requires a quoted string, but clients of APIs such as Stripe's send a bare one. Quoted or bare, it
# is the same key.
# https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
# https://docs.stripe.com/api/idempotent_requests
_KEY: Final = re.compile(rb"[!-~]{1,255}")
_QUOTED: Final = re.compile(rb'"([!-~]{1,255})"')
_HEADER: Final = b"idempotency-key"
_HEX_DIGITS: Final = 32


def parse_key(fields: HeaderFields) -> bytes | None:
    """Return the key without quotes, or None if the header is absent; raise `Refusal` if it is invalid."""
    value = fields.get(_HEADER)
    if value is None:
        return None
    if quoted := _QUOTED.fullmatch(value):
        return quoted[1]
    if _KEY.fullmatch(value) is None or value == b'""':
        detail = "Idempotency-Key must be 1 to 255 visible ASCII characters, bare or in double quotes"
        raise Refusal(code="invalid-header", detail=detail)
    return value


def create_execution_id() -> str:
    """Return a random id, for an execution without a key."""
    return f"exe-{token_hex(_HEX_DIGITS // 2)}"


def identify_caller(fields: HeaderFields, principal: str | None = None) -> bytes:
    """Return what identifies the caller of a request; empty for an anonymous caller.

    It is the authenticated *principal*, else the bearer token, else `Authorization` as a whole.
    """
    if principal is not None:  # a header cannot contain NUL, so no credentials equal a principal
        return b"principal\0" + principal.encode("utf-8", "surrogatepass")
    token = parse_bearer_token(fields)
    return fields.get(b"authorization", b"") if token is None else b"Bearer " + token.encode("ascii")
