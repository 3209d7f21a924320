"""When a service wants to be asked again."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ("parse_retry_after",)

_DELTA: Final = re.compile(r"[0-9]{1,9}")


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Give the seconds that a `Retry-After` header asks for, never below zero; None if it says nothing.

    It is a number of seconds, or a date in any of the three forms of HTTP, all of which mean UTC
    (RFC 9110, 10.2.3 and 5.6.7). Anything else is nothing; so is a wait of 32 years and more.
    """
    if value is None:
        return None
    if _DELTA.fullmatch(value.strip()):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
    except (ValueError, OverflowError):
        return None
