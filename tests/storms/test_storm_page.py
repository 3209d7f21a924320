"""The page in `docs/` says what is played, and as it is played now."""

import pytest

from benchmarks.storms.page import INTRODUCTION, PAGE, row_of, written
from benchmarks.storms.report import Report
from benchmarks.storms.storm import STORMS, Storm


def test_the_page_begins_as_it_would_be_written_now() -> None:
    assert PAGE.read_text(encoding="utf-8").startswith(INTRODUCTION), "play the storms anew"


@pytest.mark.parametrize("storm", STORMS, ids=lambda storm: storm.name)
def test_the_page_says_what_is_done_in_each_storm(storm: Storm) -> None:
    assert f"\n| {row_of(storm)} |" in PAGE.read_text(encoding="utf-8"), "play the storms anew"


def test_the_page_of_a_small_run_says_how_small() -> None:
    assert "At 0.1 times the size" in written([], 0.1)
    assert "times the size" not in written([], 1)


def test_the_page_of_a_run_that_was_cut_short_says_so() -> None:
    storm, *_ = STORMS
    shown = [(storm, Report(), Report())]

    assert "storms are missing" in written(shown, 1, is_over=False)
    assert "storms are missing" not in written(shown, 1)
