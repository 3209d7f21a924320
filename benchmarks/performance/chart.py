"""The chart in `docs/`: CPU of a checkout as horizontal bars, as SVG."""

import math
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias
from xml.sax.saxutils import escape

from benchmarks.performance.measurements import Spread, format_number

__all__ = ("Bar", "BarStyle", "render_chart")

BarStyle: TypeAlias = Literal["gateway", "peer", "floor"]


class Bar(NamedTuple):
    """A bar: the CPU of a checkout in microseconds."""

    label: str
    cpu_us: Spread
    style: BarStyle


_WIDTH: Final = 880
_LEFT: Final = 200
_RIGHT: Final = 190
"""Space for the values, beside the longest bar."""

_TOP: Final = 84
_BOTTOM: Final = 44
_STEP: Final = 38
_BAR: Final = 22
_STYLE: Final = """\
  <style>
    .card { fill: #ffffff; stroke: #d0d7de }
    text { font: 14px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
    .title { font-size: 17px; font-weight: 600 }
    .note, .tick { font-size: 12.5px; fill: #59636e }
    .grid { stroke: #d8dee4 }
    .spread { stroke: #1f2328; stroke-opacity: 0.55; stroke-width: 1.5 }
    .peer { fill: #8c959f }
    .floor { fill: #c8ced5 }
    .gateway { fill: #0969da }
    .emphasis { font-weight: 600 }
    @media (prefers-color-scheme: dark) {
      .card { fill: #0d1117; stroke: #3d444d }
      text { fill: #f0f6fc }
      .note, .tick { fill: #9198a1 }
      .grid { stroke: #2a313c }
      .spread { stroke: #f0f6fc }
      .peer { fill: #656c76 }
      .floor { fill: #3d444d }
      .gateway { fill: #4493f8 }
    }
  </style>"""


def render_chart(bars: Sequence[Bar], rounds: int) -> str:
    """Return the chart as SVG: a bar for each peer, the cheapest first, on a logarithmic scale."""
    ordered = sorted(bars, key=lambda bar: bar.cpu_us.median)
    height = _TOP + _STEP * len(ordered) + _BOTTOM
    low, high = _find_scale(ordered)
    title = "CPU time of a checkout with seven service calls"
    note = (
        "microseconds per request on one core, logarithmic scale; less is better. "
        f"{'Median and range' if rounds > 1 else 'Result'} of {rounds} round{'s' if rounds > 1 else ''}"
    )
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
            f"  <title>{title}</title>",
            _STYLE,
            f'  <rect class="card" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="8"/>',
            f'  <text class="title" x="24" y="34">{title}</text>',
            f'  <text class="note" x="24" y="56">{note}</text>',
            *_render_grid(low, high, height),
            *(line for row, bar in enumerate(ordered) for line in _render_bar(bar, row, low, high)),
            "</svg>\n",
        )
    )


def _find_scale(bars: Sequence[Bar]) -> tuple[float, float]:
    """Return the ends of the axis: the first one is a power of ten, or twice or five times one."""
    if not bars:
        return 10, 100
    smallest = min(bar.cpu_us.low for bar in bars)
    power = 10 ** math.floor(math.log10(smallest / 2))
    low = max(power * step for step in (1, 2, 5) if power * step <= smallest / 2)
    return low, max(bar.cpu_us.high for bar in bars)


def _place(value: float, low: float, high: float) -> float:
    share = math.log(max(value, low) / low) / math.log(high / low)
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _render_grid(low: float, high: float, height: int) -> Iterator[str]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for value in (step * 10**power for power in powers for step in (1, 2, 5)):
        if low <= value <= high:
            x = _place(value, low, high)
            yield f'  <path class="grid" d="M{x:.1f} {_TOP - 6}V{height - _BOTTOM + 2}"/>'
            yield f'  <text class="tick" x="{x:.1f}" y="{height - 20}" text-anchor="middle">{value:g}</text>'


def _render_bar(bar: Bar, row: int, low: float, high: float) -> Iterator[str]:
    top = _TOP + row * _STEP + (_STEP - _BAR) / 2
    middle = top + _BAR / 2
    start, end, stop = (
        _place(value, low, high) for value in (bar.cpu_us.low, bar.cpu_us.median, bar.cpu_us.high)
    )
    emphasis = " emphasis" if bar.style == "gateway" else ""
    value = f"{format_number(bar.cpu_us.median)} us · {1e6 / bar.cpu_us.median:.0f}/s"
    yield _render_text(bar.label, f"label{emphasis}", _LEFT - 12, middle, anchor="end")
    yield (
        f'  <rect class="{bar.style}" x="{_LEFT}" y="{top:.1f}" width="{end - _LEFT:.1f}" height="{_BAR}" '
        'rx="3"/>'
    )
    if start != stop:
        yield f'  <path class="spread" d="M{start:.1f} {middle - 4:.1f}v8m0-4H{stop:.1f}m0-4v8"/>'
    yield _render_text(value, f"value{emphasis}", max(end, stop) + 10, middle)


def _render_text(text: str, style: str, x: float, middle: float, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{middle + 5:.1f}" text-anchor="{anchor}"'
    return f'  <text class="{style}" {place}>{escape(text)}</text>'
