"""The ids of what the services write."""

import hashlib
from typing import Final

__all__ = ["id_of"]

_DIGITS: Final = 24


def id_of(prefix: str, key: str) -> str:
    """Make the id, such as "res-0f8c...", of what is written under *key*: always the same."""
    return f"{prefix}-{hashlib.sha256(key.encode()).hexdigest()[:_DIGITS]}"
