"""Server-Timing: response header with the times of the calls and of the gateway itself.

https://www.w3.org/TR/server-timing/, and https://www.w3.org/TR/resource-timing/ for `Timing-Allow-Origin`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias, final

from gateway.observability.trace import Trace

__all__ = ("ServerTiming", "TimingHeaders", "build_server_timing")

_MAX_LENGTH: Final = 2048
_SEPARATOR: Final = ", "
_NOT_IN_TOKEN: Final = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")  # RFC 9110, section 5.6.2


ServerTiming: TypeAlias = Literal["off", "own", "all"]
"""Entries of the header: none (no header), the gateway's own time, or the times of all calls too."""


@final
class TimingHeaders:
    """Headers `Server-Timing`, with these *entries*, and `Timing-Allow-Origin`, with the *origins* if any."""

    def __init__(self, entries: ServerTiming, origins: Sequence[str]) -> None:
        self._entries: ServerTiming = entries
        self._allowed = {"Timing-Allow-Origin": _SEPARATOR.join(origins)} if origins else {}

    def build(self, trace: Trace) -> Mapping[str, str]:
        """Return the headers of the response to a request with *trace*."""
        return self._wrap(build_server_timing(trace, self._entries))

    def build_without_trace(self) -> Mapping[str, str]:
        """Return the headers of a response for which no pipeline has run."""
        return self._wrap("gateway;dur=0.0")

    def _wrap(self, timing: str) -> Mapping[str, str]:
        if self._entries == "off":
            return {}
        return {"Server-Timing": timing, **self._allowed}


def build_server_timing(trace: Trace, entries: ServerTiming) -> str:
    """Return the value of the header with these *entries*, times in milliseconds.

    The time of the gateway excludes calls with their pauses between attempts, and waits for other requests.
    The header has at most 2 KiB, which servers and proxies accept. If the calls need more, the longest calls
    are kept, in the order in which they started.
    """
    now = trace.clock()
    own = f"gateway;dur={trace.measure_own(now) * 1000:.1f}"
    if entries != "all":
        return own
    seconds = [call.find_end(now) - call.start for call in trace.calls]
    texts = [
        f"{_NOT_IN_TOKEN.sub('_', call.name)};dur={duration * 1000:.1f}"
        for call, duration in zip(trace.calls, seconds, strict=True)
    ]
    header = _SEPARATOR.join((*texts, own))
    if len(header) <= _MAX_LENGTH:
        return header
    longest_first = sorted(range(len(texts)), key=seconds.__getitem__, reverse=True)
    kept = _fill(longest_first, texts, _MAX_LENGTH - len(own))
    return _SEPARATOR.join((*(texts[position] for position in sorted(kept)), own))


def _fill(positions: Iterable[int], entries: Sequence[str], length: int) -> Iterator[int]:
    """Yield the first *positions* whose entries fit in *length*, each with a separator.

    An entry that is longer than *length* is skipped.
    """
    left = length
    for position in positions:
        needed = len(entries[position]) + len(_SEPARATOR)
        if needed > length:
            continue
        left -= needed
        if left < 0:
            return
        yield position
