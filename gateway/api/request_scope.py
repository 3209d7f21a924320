"""Id and caller of a request, from its ASGI scope."""

import re
import secrets
from collections.abc import Iterable
from typing import Final, cast

from starlette.types import Scope

__all__ = (
    "assign_caller",
    "assign_execution_id",
    "assign_request_id",
    "choose_request_id",
    "describe_caller",
    "get_caller",
    "get_execution_id",
    "get_request_id",
)

_ID: Final = re.compile(rb"[!-~]{1,128}")


def assign_request_id(scope: Scope) -> str:
    """Choose the request's id, store it in *scope* and return it."""
    assigned = choose_request_id(scope["headers"])
    scope.setdefault("state", {})["request_id"] = assigned
    return assigned


def choose_request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the id of the request with these *headers*, whose names are in lower case.

    It is `X-Request-Id` if that is 1 to 128 visible ASCII characters, else a new random id.
    """
    sent = b", ".join(value for name, value in headers if name == b"x-request-id")
    return sent.decode("ascii") if _ID.fullmatch(sent) else secrets.token_hex(16)


def get_request_id(scope: Scope) -> str:
    """Return the id that `assign_request_id` stored."""
    return cast("str", scope["state"]["request_id"])


def assign_caller(scope: Scope, principal: str | None) -> None:
    """Store the *principal* of the request in *scope*, for the log."""
    scope["state"]["caller"] = principal


def get_caller(scope: Scope) -> str | None:
    """Return the principal that `assign_caller` stored, if any."""
    return cast("str | None", scope["state"].get("caller"))


def assign_execution_id(scope: Scope, execution_id: str) -> None:
    """Store the id of the execution that the request makes, or waits for, in *scope*, for the log."""
    scope["state"]["execution_id"] = execution_id


def get_execution_id(scope: Scope) -> str | None:
    """Return the id that `assign_execution_id` stored, if any."""
    return cast("str | None", scope["state"].get("execution_id"))


def describe_caller(scope: Scope) -> str:
    """Return `, caller 'ID'` with the principal that `assign_caller` stored; empty without one."""
    principal = get_caller(scope)
    return "" if principal is None else f", caller {principal!r}"
