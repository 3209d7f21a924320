"""Fingerprint of a request: requests with the same idempotency key must have the same."""

import hashlib
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import Final, TypeAlias, cast

from pydantic import BaseModel, SecretBytes, SecretStr, TypeAdapter
from pydantic_core import to_json

__all__ = ("compute_fingerprint",)

_Fields: TypeAlias = BaseModel | Mapping[object, object]
_Members: TypeAlias = Collection[object]
_EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""Context that rounds no decimal; the default one has 28 digits."""

_ANY: Final[TypeAdapter[object]] = TypeAdapter(object)


def compute_fingerprint(values: Mapping[str, object]) -> bytes:
    """Return a hash of a request's validated *values*, defaults included; equal only for equal requests.

    The values count as JSON, but in a normal form: the members of sets, whose order differs between
    processes, and those of mappings are sorted; 25.0 and 25.00 are the same decimal, and a time with an
    offset is the same in UTC. Secrets, which pydantic masks, count too. Fields that a model excludes from its
    JSON do not.
    """
    return hashlib.sha256(to_json(_normalize(values, _ANY.dump_python(values, mode="json")))).digest()


def _normalize(value: object, encoded: object) -> object:  # noqa: PLR0911 - a case for each kind of value
    """Return the normal form of *value*, of which *encoded* is the JSON.

    Where a serializer of the application has changed the JSON, it is returned as it is.
    """
    match value, encoded:
        case SecretStr() | SecretBytes(), _:
            return str(value.get_secret_value())
        case Decimal(), str() if _is_decimal(encoded, value):
            return str(value.normalize(_EXACT))
        case datetime(tzinfo=tzinfo()), _ if date.min < value.date() < date.max:  # UTC has the day too
            return value.astimezone(UTC).isoformat()
        case BaseModel() | Mapping(), dict():
            return _normalize_fields(
                _list_fields(cast("_Fields", value)), cast("Mapping[str, object]", encoded)
            )
        case AbstractSet(), list():
            members = cast("Collection[object]", value)
            return sorted(_normalize_members(members, cast("_Members", encoded)), key=to_json)
        case Collection(), list():
            return _normalize_members(cast("_Members", value), cast("_Members", encoded))
        case _, dict() if is_dataclass(value):
            return _normalize_fields(vars(value), cast("Mapping[str, object]", encoded))
        case _:
            return encoded


def _list_fields(value: _Fields) -> Mapping[str, object]:
    """Return the fields of *value* by their keys in JSON."""
    if not isinstance(value, BaseModel):
        return {str(key): field for key, field in value.items()}
    fields: dict[str, object] = dict(value)
    aliases = {
        alias: fields[name]
        for name, field in type(value).model_fields.items()
        if (alias := field.serialization_alias)
    }
    return fields | aliases


def _normalize_fields(fields: Mapping[str, object], encoded: Mapping[str, object]) -> Mapping[str, object]:
    return {key: _normalize(fields.get(key), encoded[key]) for key in sorted(encoded)}


def _normalize_members(members: _Members, encoded: _Members) -> _Members:
    if len(members) != len(encoded):
        return encoded
    return [_normalize(member, text) for member, text in zip(members, encoded, strict=True)]


def _is_decimal(text: str, value: Decimal) -> bool:
    """Return whether *text* is *value*, perhaps with other zeros at its end."""
    try:
        return Decimal(text) == value
    except InvalidOperation:
        return False
