"""The page in `docs/` matches the storms."""

import pytest

from benchmarks.storms.page import INTRODUCTION, PAGE, describe, render_page
from benchmarks.storms.report import Report
from benchmarks.storms.storm import STORMS, Storm


def test_the_page_begins_as_it_would_be_written_now() -> None:
    assert PAGE.read_text(encoding="utf-8").startswith(INTRODUCTION), "run the storms again"


@pytest.mark.parametrize("storm", STORMS, ids=lambda storm: storm.name)
def test_the_page_says_what_is_done_in_each_storm(storm: Storm) -> None:
    assert f"\n| {describe(storm)} |" in PAGE.read_text(encoding="utf-8"), "run the storms again"


def test_the_page_of_a_small_run_says_how_small() -> None:
    assert "At 0.1 times the size" in render_page([], 0.1)
    assert "times the size" not in render_page([], 1)


def test_the_page_of_a_run_that_was_cut_short_says_so() -> None:
    storm, *_ = STORMS
    shown = [(storm, Report(), Report())]

    assert "storms are missing" in render_page(shown, 1, is_finished=False)
    assert "storms are missing" not in render_page(shown, 1)
