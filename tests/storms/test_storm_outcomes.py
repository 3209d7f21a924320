"""Statistics of outcomes, and spreads over several rounds."""

import math

import pytest

from benchmarks.storms.client.outcomes import DISCONNECTED, NO_RESPONSE, Outcome, Outcomes
from benchmarks.storms.client.request import FEED
from benchmarks.storms.report import format_spread


def _make_outcomes(*milliseconds: float) -> Outcomes:
    return Outcomes(Outcome(FEED, 200, number, time / 1000) for number, time in enumerate(milliseconds))


def test_quantile_covers_share_of_outcomes() -> None:
    answers = _make_outcomes(*range(1, 101))

    assert (answers.quantile(0), answers.median, answers.p99, answers.quantile(1)) == (1, 51, 100, 100)


def test_quantile_of_no_outcomes_is_nan() -> None:
    assert math.isnan(Outcomes([]).p99)


def test_split_returns_no_empty_round() -> None:
    parts = [[answer.due for answer in part] for part in _make_outcomes(*range(7)).split(3)]

    assert parts == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(_make_outcomes(1, 2).split(3)) == 2


def test_received_by_uses_response_time() -> None:
    answers = Outcomes([Outcome(FEED, 200, 1.0, 0.5), Outcome(FEED, 200, 1.25, 0.5)])

    assert len(answers.received_by(1.5)) == 1


def test_sent_by_uses_send_time() -> None:
    answers = Outcomes([Outcome(FEED, 200, 1.0, 0.5), Outcome(FEED, 200, 1.25, 0.5, lateness=0.5)])

    assert len(answers.sent_by(1.5)) == 1


def test_incomplete_success_is_imperfect() -> None:
    answers = Outcomes(
        [
            Outcome(FEED, 200, 0, 1),
            Outcome(FEED, 200, 1, 1, is_complete=False),
            Outcome(FEED, 503, 2, 1, is_complete=False),
        ]
    )

    assert (len(answers.imperfect), len(answers.incomplete)) == (2, 1)
    assert answers.summary == "200: 2, 503: 1, incomplete: 1"


def test_summary_names_missing_responses() -> None:
    assert (
        Outcomes([Outcome(FEED, NO_RESPONSE, 0, 1), Outcome(FEED, DISCONNECTED, 1, 1)]).summary
        == "disconnected: 1, none: 1"
    )


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((), "none"),
        ((math.nan,), "none"),
        ((12.0,), "12 ms"),
        ((14.0, 11.0, 12.0), "12 ms (11 to 14)"),
        ((0.25, 150.4), "75 ms (0.25 to 150)"),
    ],
)
def test_spread_has_median_minimum_and_maximum(values: tuple[float, ...], text: str) -> None:
    assert format_spread(values, "ms") == text
