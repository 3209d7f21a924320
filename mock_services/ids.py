"""The ids of what the services write."""

import secrets
from typing import Final

__all__ = ["new_id"]

_BYTES: Final = 12


def new_id(prefix: str) -> str:
    """Make an id such as "res-0f8c...": never given twice, and not to be guessed from another one."""
    return f"{prefix}-{secrets.token_hex(_BYTES)}"
