"""Prefix of all paths of the gateway, such as `/api`, if a proxy adds one."""

from typing import Final, cast
from urllib.parse import quote

from starlette.types import Scope

__all__ = ("LONGEST_PREFIX", "PATH_PREFIX", "assign_prefix", "encode_path", "forward_prefix", "get_prefix")

PATH_PREFIX: Final = r"(/\.{0,2}[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+"
"""Regular expression of a prefix: a path without percent-encoding and without the segments `.` and `..`.

It does not begin with `//`, which would make another host of a link.
"""

LONGEST_PREFIX: Final = 256

_UNQUOTED: Final = "/!$&'()*+,;=:@"


def forward_prefix(scope: Scope, prefix: str) -> None:
    """Store the *prefix* that a proxy has removed from the path of the request in *scope*."""
    scope.setdefault("state", {})["forwarded_prefix"] = prefix


def assign_prefix(scope: Scope, default: str) -> None:
    """Store the path prefix of the request's links in *scope*.

    It is the prefix that `forward_prefix` stored, or else the `root_path` of the server or of a parent app,
    or else *default*. Mounts of an app change `root_path` later.
    """
    state = scope.setdefault("state", {})
    state["prefix"] = state.get("forwarded_prefix") or scope.get("root_path", "").rstrip("/") or default


def get_prefix(scope: Scope) -> str:
    """Return the prefix that `assign_prefix` stored: "", or a path such as `/api`."""
    return cast("str", scope["state"]["prefix"])


def encode_path(scope: Scope) -> str:
    """Return the requested path with its prefix, percent-encoded (RFC 3986, 3.3), without the query.

    A proxy may remove the prefix from the path, or leave it there.
    """
    path, prefix = quote(scope["path"], safe=_UNQUOTED), get_prefix(scope)
    return path if f"{path}/".startswith(f"{prefix}/") else f"{prefix}{path}"
