"""What `gateway explain` was asked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, final

__all__ = ("NoSuchThingError", "Options", "chosen", "latency", "milliseconds")

_CLOSE: Final = 0.75


class NoSuchThingError(Exception):
    """Something was named that there is not; the message names what resembles it."""


@final
@dataclass(frozen=True, slots=True)
class Options:
    """What to explain, and where times come from; they are in seconds.

    *latencies* are those given, by call; *default* is that of calls of which nothing else is known. *runs*
    are made to measure if *is_measured*, and write if *writes*.
    """

    name: str | None = None
    latencies: Mapping[str, float] = field(default_factory=dict[str, float])
    default: float | None = None
    is_measured: bool = False
    writes: bool = False
    runs: int = 5
    as_json: bool = False

    @property
    def has_times(self) -> bool:
        """Tell whether times were given."""
        return bool(self.latencies) or self.default is not None


def latency(text: str) -> tuple[str, float]:
    """Read `users.fetch=50`: the name of a call, and its milliseconds as seconds; raises `ValueError`."""
    name, _, number = text.rpartition("=")
    if not name:
        raise ValueError(text)
    return name, milliseconds(number)


def milliseconds(text: str) -> float:
    """Read milliseconds, from 0 on, as seconds; raises `ValueError`."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise ValueError(text)
    return number / 1000


def chosen(name: str, known: Sequence[str], complaint: str) -> int:
    """Give the place of *name* among those *known*; raises `NoSuchThingError`, with the *complaint* of it."""
    if name in known:
        return known.index(name)
    resembled = get_close_matches(name, known, cutoff=_CLOSE)
    hint = f"did you mean {' or '.join(resembled)}?" if resembled else f"there are {', '.join(known)}"
    msg = f"{complaint} {name!r}: {hint}"
    raise NoSuchThingError(msg)
