"""The options of `gateway explain`."""

import math
from argparse import ArgumentTypeError
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, final

__all__ = (
    "Options",
    "UnknownNameError",
    "parse_latency",
    "parse_milliseconds",
    "parse_runs",
    "require_known",
)

_SIMILARITY: Final = 0.75


class UnknownNameError(Exception):
    """No pipeline or call has this name; the message suggests similar names, or else lists all names."""


@final
@dataclass(frozen=True, slots=True)
class Options:
    """The pipeline to explain, and the source of its calls' times; all times are in seconds.

    *latencies* are times by call; *default* is the time of the calls that have neither a latency nor a
    measurement. If *is_measured*, the calls are measured in *runs* runs, which make real writes only if
    *with_writes*.
    """

    name: str | None = None
    latencies: Mapping[str, float] = field(default_factory=dict[str, float])
    default: float | None = None
    is_measured: bool = False
    with_writes: bool = False
    runs: int = 5
    as_json: bool = False

    @property
    def has_latencies(self) -> bool:
        """Return True if the options set the time of any call."""
        return bool(self.latencies) or self.default is not None


def parse_latency(text: str) -> tuple[str, float]:
    """Parse `service.operation=50` into the name of the call and its seconds; raises `ArgumentTypeError`."""
    name, _, number = text.rpartition("=")
    if not name:
        msg = f"invalid latency {text!r}: expected CALL=MS, such as service.operation=50"
        raise ArgumentTypeError(msg)
    return name, parse_milliseconds(number)


def parse_milliseconds(text: str) -> float:
    """Parse milliseconds into seconds; raises `ArgumentTypeError` unless finite and at least 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        msg = f"invalid number of milliseconds {text!r}: expected 0 or a positive number"
        raise ArgumentTypeError(msg)
    return number / 1000


def parse_runs(text: str) -> int:
    """Parse the number of runs; raises `ArgumentTypeError` unless at least 1."""
    if not text.isdecimal() or not int(text):
        msg = f"invalid number of runs {text!r}: expected a positive integer"
        raise ArgumentTypeError(msg)
    return int(text)


def require_known(name: str, known: Iterable[str], description: str) -> None:
    """Raise `UnknownNameError` about *description*, such as `pipeline 'x'`, unless *name* is in *known*."""
    names = [*known]
    if name in names:
        return
    similar = get_close_matches(name, names, cutoff=_SIMILARITY)
    hint = f"did you mean {' or '.join(similar)}?" if similar else f"expected one of {', '.join(names)}"
    msg = f"unknown {description}; {hint}"
    raise UnknownNameError(msg)
