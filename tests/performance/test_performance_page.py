"""Performance page: docs/performance.md, its chart and its generator."""

import re
from dataclasses import replace
from typing import Final

import pytest

from benchmarks.performance.bench import FULL, QUICK
from benchmarks.performance.machine import describe_cores
from benchmarks.performance.measurements import Measurements
from benchmarks.performance.page import CHART, INTRODUCTION, PAGE, Results, list_bars, render_page
from benchmarks.performance.peers import ROOT, list_peers
from benchmarks.performance.process import Cores
from benchmarks.performance.scenarios import CHECKOUT, SCENARIOS, Scenario
from tests.performance.sample_runs import measurement

OUTDATED: Final = "docs/performance.md is out of date; run scripts/bench"


def run(
    *gateways: str, scenarios: tuple[Scenario, ...] = SCENARIOS, skipped: dict[str, str] | None = None
) -> Results:
    """Return results of two rounds in which *gateways* and all other peers took part."""
    peers = list(list_peers(dict.fromkeys(gateways or ("gateway",), ROOT)))
    measurements = Measurements()
    for scenario in scenarios:
        for peer in peers:
            if FULL.includes(scenario, peer):
                for number in range(2):
                    measurements.add(scenario.name, peer.name, number, measurement(cpu_us=200 + 100 * number))
    return Results(measurements, scenarios, peers, skipped or {}, FULL, Cores(0, 1), ["fastapi 1.0"])


def test_performance_page_has_current_introduction() -> None:
    assert PAGE.read_text(encoding="utf-8").startswith(INTRODUCTION), OUTDATED


def test_performance_page_has_full_run_of_all_scenarios() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert "a quick run" not in page, OUTDATED
    assert [scenario.title for scenario in SCENARIOS if f"### {scenario.title}\n" not in page] == [], OUTDATED


def test_links_of_performance_page_lead_to_files() -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", PAGE.read_text(encoding="utf-8"))

    assert CHART.name in links
    assert [link for link in links if not (PAGE.parent / link).exists()] == []


def test_every_scenario_has_a_table() -> None:
    page = render_page(run())

    assert re.findall(r"^### (.*)$", page, re.MULTILINE) == [scenario.title for scenario in SCENARIOS]
    assert "| fanout-gateway | 250 (200 to 300) | 4167 (3333 to 5000) | 0 | 70 |" in page


def test_scenarios_that_were_not_measured_are_left_out() -> None:
    results = run(scenarios=(CHECKOUT,))

    page = render_page(replace(results, scenarios=SCENARIOS))
    assert re.findall(r"^### (.*)$", page, re.MULTILINE) == [CHECKOUT.title]


def test_targets_show_goal_and_value_reached() -> None:
    page = render_page(run())

    assert "| CPU of a checkout | at most 300 us | 250 (200 to 300) us | met |" in page
    assert "| CPU of FastAPI + httpx, relative to the gateway | at least 25 | 1 | **missed** |" in page


def test_targets_that_were_not_measured_are_left_out() -> None:
    page = render_page(run(scenarios=(CHECKOUT,)))

    assert "CPU of a checkout" in page
    assert "CPU of a refusal" not in page


def test_two_trees_are_compared() -> None:
    page = render_page(run("gateway 1a2b3c4", "gateway 5d6e7f8"))

    assert "## Before and after" in page
    assert "| Checkouts | gateway 1a2b3c4 | gateway 5d6e7f8 | 1 |" in page
    assert "## Before and after" not in render_page(run())


def test_page_names_conditions_of_the_run() -> None:
    results = run(skipped={"fastify": "Node.js is not installed"})
    page = render_page(results).replace("\n", " ")

    assert "5 rounds of 4 seconds" in page
    assert "fastapi 1.0" in page
    assert "fastify was left out: Node.js is not installed." in page


def test_page_of_quick_run_says_so() -> None:
    results = run()

    page = render_page(replace(results, effort=QUICK))
    assert "a quick run, which gives rough figures only" in page


@pytest.mark.parametrize(
    ("cores", "text"), [(Cores(0, 1), "a core of its own"), (Cores(0, 0), "only one core")]
)
def test_page_says_which_cores_were_used(cores: Cores, text: str) -> None:
    assert text in describe_cores(cores)


def test_chart_has_a_bar_for_each_measured_peer() -> None:
    assert [bar.style for bar in list_bars(run())] == ["gateway", *["peer"] * 5, "floor", "floor"]
    assert list(list_bars(run(scenarios=()))) == []
