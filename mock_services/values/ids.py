"""Ids of the records that the services write."""

import hashlib
from typing import Final

__all__ = ["make_id"]

_DIGITS: Final = 24


def make_id(prefix: str, key: str) -> str:
    """Return the id of a record, such as "res-0f8c..."; it depends only on prefix and idempotency key."""
    return f"{prefix}-{hashlib.sha256(key.encode()).hexdigest()[:_DIGITS]}"
