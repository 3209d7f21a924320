"""Id and caller of a request, from its ASGI scope."""

import re
import secrets
from typing import Final, cast

from starlette.types import Scope

__all__ = (
    "assign_caller",
    "assign_request_id",
    "describe_caller",
    "get_request_id",
)

_ID: Final = re.compile(rb"[!-~]{1,128}")


def assign_request_id(scope: Scope) -> str:
    """Store the request's id in *scope* and return it.

    The id is `X-Request-Id` if that is 1 to 128 visible ASCII characters, else a new random id.
    """
    headers = cast("list[tuple[bytes, bytes]]", scope["headers"])
    sent = b", ".join(value for name, value in headers if name == b"x-request-id")
    assigned = sent.decode("ascii") if _ID.fullmatch(sent) else secrets.token_hex(16)
    scope.setdefault("state", {})["request_id"] = assigned
    return assigned


def get_request_id(scope: Scope) -> str:
    """Return the id that `assign_request_id` stored."""
    return cast("str", scope["state"]["request_id"])


def assign_caller(scope: Scope, principal: str | None) -> None:
    """Store the *principal* of the request in *scope*, for the log."""
    scope["state"]["caller"] = principal


def describe_caller(scope: Scope) -> str:
    """Return `, caller 'ID'` with the principal that `assign_caller` stored; empty without one."""
    principal: str | None = scope["state"].get("caller")
    return "" if principal is None else f", caller {principal!r}"
