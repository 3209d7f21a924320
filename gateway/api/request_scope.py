"""Request id and path of a request, from its ASGI scope."""

import re
import secrets
from typing import Final, cast
from urllib.parse import quote

from starlette.types import Scope

__all__ = (
    "assign_caller",
    "assign_prefix",
    "assign_request_id",
    "describe_caller",
    "encode_path",
    "get_prefix",
    "get_request_id",
)

_ID: Final = re.compile(rb"[!-~]{1,128}")
_UNQUOTED: Final = "/!$&'()*+,;=:@"


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


def assign_prefix(scope: Scope, default: str) -> str:
    """Store the path prefix of the request in *scope* and return it: its `root_path`, or else *default*.

    Mounts of an app change `root_path` later.
    """
    prefix: str = scope.get("root_path", "").rstrip("/") or default
    scope.setdefault("state", {})["prefix"] = prefix
    return prefix


def get_prefix(scope: Scope) -> str:
    """Return the prefix that `assign_prefix` stored: "", or a path such as `/api`."""
    return cast("str", scope["state"]["prefix"])


def encode_path(scope: Scope) -> str:
    """Return the requested path with its prefix, percent-encoded (RFC 3986, 3.3), without the query.

    A proxy may remove the prefix from the path, or leave it there.
    """
    path, prefix = quote(scope["path"], safe=_UNQUOTED), get_prefix(scope)
    return path if f"{path}/".startswith(f"{prefix}/") else f"{prefix}{path}"
