"""Storms page: docs/storms.md and its generator."""

from typing import Final

import pytest

from benchmarks.storms.page import INTRODUCTION, PAGE, describe, render_page
from benchmarks.storms.report import Report
from benchmarks.storms.storm import STORMS, Storm

OUTDATED: Final = (
    "docs/storms.md is out of date; run .venv/bin/python -m benchmarks.storms --write docs/storms.md"
)


def test_storms_page_has_current_introduction() -> None:
    assert PAGE.read_text(encoding="utf-8").startswith(INTRODUCTION), OUTDATED


@pytest.mark.parametrize("storm", STORMS, ids=lambda storm: storm.name)
def test_page_describes_every_storm(storm: Storm) -> None:
    assert f"\n| {describe(storm)} |" in PAGE.read_text(encoding="utf-8"), OUTDATED


def test_storms_page_of_scaled_run_states_scale() -> None:
    assert "At 0.1 times the size" in render_page([], 0.1)
    assert "times the size" not in render_page([], 1)


def test_storms_page_reports_interrupted_run() -> None:
    storm, *_ = STORMS
    shown = [(storm, Report(), Report())]

    assert "storms are missing" in render_page(shown, 1, is_finished=False)
    assert "storms are missing" not in render_page(shown, 1)
