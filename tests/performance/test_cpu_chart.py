"""Chart of the CPU of a checkout."""

from xml.etree import ElementTree as ET

from benchmarks.performance.chart import Bar, render_chart
from benchmarks.performance.measurements import Spread

SVG = "{http://www.w3.org/2000/svg}"
BARS = (
    Bar("FastAPI + httpx", Spread(7500, 7000, 8000), "peer"),
    Bar("fanout-gateway", Spread(280, 280, 280), "gateway"),
    Bar("C floor", Spread(50, 49, 52), "floor"),
)


def draw(*bars: Bar) -> ET.Element:
    return ET.fromstring(render_chart(bars, 5))  # noqa: S314 - our own chart


def list_texts(chart: ET.Element, style: str) -> list[str | None]:
    return [text.text for text in chart.iter(f"{SVG}text") if style in text.attrib["class"].split()]


def list_widths(chart: ET.Element) -> list[float]:
    bars = [rect for rect in chart.iter(f"{SVG}rect") if rect.attrib["class"] != "card"]
    return [float(bar.attrib["width"]) for bar in bars]


def test_bars_are_sorted_by_cpu() -> None:
    chart = draw(*BARS)

    assert list_texts(chart, "label") == ["C floor", "fanout-gateway", "FastAPI + httpx"]
    assert list_texts(chart, "value") == ["50 us · 20000/s", "280 us · 3571/s", "7500 us · 133/s"]


def test_lengths_of_bars_are_logarithmic() -> None:
    ten, hundred, thousand = list_widths(
        draw(*(Bar("", Spread(cpu, cpu, cpu), "peer") for cpu in (20, 200, 2000)))
    )

    assert round(hundred - ten) == round(thousand - hundred)
    assert ten > 0


def test_spread_is_drawn_if_rounds_differ() -> None:
    chart = draw(*BARS)

    assert len([path for path in chart.iter(f"{SVG}path") if path.attrib["class"] == "spread"]) == 2


def test_only_gateway_is_emphasized() -> None:
    assert list_texts(draw(*BARS), "emphasis") == ["fanout-gateway", "280 us · 3571/s"]


def test_labels_are_escaped() -> None:
    assert list_texts(draw(Bar("a < b & c", Spread(1, 1, 1), "peer")), "label") == ["a < b & c"]


def test_chart_without_bars_is_valid() -> None:
    assert list_widths(draw()) == []
