"""Parser of the `Retry-After` header."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ("parse_retry_after",)

_DELAY_SECONDS: Final = re.compile(r"[0-9]{1,9}")


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the delay of a `Retry-After` header, in seconds from *now* and at least 0; None if invalid.

    *value* is a number of seconds, or a date in any of HTTP's three formats, all in UTC (RFC 9110, 10.2.3
    and 5.6.7). None (a missing header) and a number of more than nine digits (32 years) count as invalid.
    """
    if value is None:
        return None
    if _DELAY_SECONDS.fullmatch(value.strip()):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
    except (ValueError, OverflowError):
        return None
