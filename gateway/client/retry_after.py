"""Parser of the `Retry-After` header."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ("parse_retry_after",)

_DELAY_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_LONGEST_DELAY: Final = 300.0


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the delay of a `Retry-After` header, from 0 to 300 seconds from *now*; None if invalid.

    *value* is a number of seconds, or a date in any of HTTP's three formats, all in UTC (RFC 9110, 10.2.3
    and 5.6.7). None (a missing header) and a number of more than nine digits count as invalid. A longer delay
    is shortened to 300 seconds: callers, to whom it is passed on, must not stay away for a day, or for
    a century, because of a service's mistake.
    """
    delay = None if value is None else _parse_delay(value, now)
    return None if delay is None else min(max(0.0, delay), _LONGEST_DELAY)


def _parse_delay(value: str, now: datetime) -> float | None:
    if _DELAY_SECONDS.fullmatch(value.strip()):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
        return (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
