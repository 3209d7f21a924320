"""Idempotency-Key: which requests are one and the same (draft-ietf-httpapi-idempotency-key-header)."""

import hashlib
import re
from collections.abc import Mapping
from secrets import token_hex
from typing import Final

from pydantic_core import to_json

from gateway.api.pipeline_route.headers import Fields, bearer
from gateway.api.problems.refusal import Refusal

__all__ = ("execution_id", "fingerprint", "key_of")

_KEY: Final = re.compile(rb"[!-~]{1,255}")
_QUOTED: Final = re.compile(rb'"([!-~]{1,255})"')
_HEADER: Final = b"idempotency-key"
_HEX_DIGITS: Final = 32


def key_of(sent: Fields) -> bytes | None:
    """Give the key that the headers name, without its quotes; raise `Refusal` if it is none."""
    value = sent.get(_HEADER)
    if value is None:
        return None
    if quoted := _QUOTED.fullmatch(value):
        return quoted[1]
    if _KEY.fullmatch(value) is None or value == b'""':
        detail = "Idempotency-Key must be 1 to 255 visible ASCII characters, bare or in double quotes"
        raise Refusal(code="invalid-header", detail=detail)
    return value


def execution_id(endpoint: str, sent: Fields, key: bytes | None) -> str:
    """Name the execution that a request is for: the same for the same *endpoint*, caller and *key*.

    Who calls is who has the same `Authorization`, however the scheme of a bearer token is spelled. Without a
    key no two requests are the same.
    """
    if key is None:
        return f"exe-{token_hex(_HEX_DIGITS // 2)}"
    token = bearer(sent)
    shown = sent.get(b"authorization", b"") if token is None else b"Bearer " + token.encode("ascii")
    caller = hashlib.sha256(shown).digest()
    name = hashlib.sha256(b"\0".join((endpoint.encode(), caller, key)))
    return f"exe-{name.hexdigest()[:_HEX_DIGITS]}"


def fingerprint(values: Mapping[str, object]) -> bytes:
    """Give what only requests for the same share: *values* are validated, and defaults filled in."""
    return hashlib.sha256(to_json(values)).digest()
