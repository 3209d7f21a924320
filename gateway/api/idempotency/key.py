"""Parsing of Idempotency-Key, and identification of requests that have the same key and content."""

import hashlib
import re
from collections.abc import Collection, Mapping
from secrets import token_hex
from typing import Final, TypeAlias, cast

from pydantic import TypeAdapter
from pydantic_core import to_json

from gateway.api.headers import HeaderFields, parse_bearer_token
from gateway.api.problems.refusal import Refusal

__all__ = ("compute_fingerprint", "create_execution_id", "identify_caller", "parse_key")

# The draft requires a quoted string, but clients of APIs such as Stripe's send a bare one. Quoted or bare, it
# is the same key.
# https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
# https://docs.stripe.com/api/idempotent_requests
_KEY: Final = re.compile(rb"[!-~]{1,255}")
_QUOTED: Final = re.compile(rb'"([!-~]{1,255})"')
_HEADER: Final = b"idempotency-key"
_HEX_DIGITS: Final = 32
_Mapping: TypeAlias = Mapping[object, object]
_Members: TypeAlias = Collection[object]
_ANY: Final[TypeAdapter[object]] = TypeAdapter(object)


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


def compute_fingerprint(values: Mapping[str, object]) -> bytes:
    """Return a hash of a request's validated *values*, defaults included; equal only for equal requests.

    The order of sets, which differs between processes, and of mappings does not matter.
    """
    ordered = _sort(_ANY.dump_python(values), _ANY.dump_python(values, mode="json"))
    return hashlib.sha256(to_json(ordered)).digest()


def _sort(value: object, encoded: object) -> object:
    """Return *encoded*, which is *value* as JSON, with sorted mappings, and the members of sets sorted.

    Where a serializer of the application has changed the structure, it is returned as it is.
    """
    match value, encoded:
        case dict(), dict():
            return _sort_fields(cast("_Mapping", value), cast("_Mapping", encoded))
        case list() | tuple(), list():
            return _sort_members(cast("_Members", value), cast("_Members", encoded))
        case set() | frozenset(), list():
            return sorted(_sort_members(cast("_Members", value), cast("_Members", encoded)), key=to_json)
        case _:
            return encoded


def _sort_fields(values: _Mapping, encoded: _Mapping) -> _Mapping:
    if len(values) != len(encoded):
        return encoded
    pairs = zip(values.values(), encoded.items(), strict=True)
    return dict(sorted((str(key), _sort(value, field)) for value, (key, field) in pairs))


def _sort_members(values: _Members, encoded: _Members) -> _Members:
    if len(values) != len(encoded):
        return encoded
    return [_sort(value, member) for value, member in zip(values, encoded, strict=True)]
