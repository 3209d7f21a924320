"""Statistics of outcomes, and spreads of several rounds."""

import math

import pytest

from benchmarks.storms.client.outcomes import DISCONNECTED, NO_RESPONSE, Outcome, Outcomes
from benchmarks.storms.client.request import FEED
from benchmarks.storms.report import format_spread


def _taking(*milliseconds: float) -> Outcomes:
    return Outcomes(Outcome(FEED, 200, number, one / 1000) for number, one in enumerate(milliseconds))


def test_a_quantile_is_the_time_within_which_that_share_has_come() -> None:
    answers = _taking(*range(1, 101))

    assert (answers.quantile(0), answers.median, answers.p99, answers.quantile(1)) == (1, 51, 100, 100)


def test_of_no_answers_there_is_no_quantile() -> None:
    assert math.isnan(Outcomes([]).p99)


def test_rounds_follow_each_other_and_none_is_empty() -> None:
    parts = [[answer.due for answer in part] for part in _taking(*range(7)).split(3)]

    assert parts == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(_taking(1, 2).split(3)) == 2


def test_what_came_by_a_time_is_what_was_answered_by_then() -> None:
    answers = Outcomes([Outcome(FEED, 200, 1.0, 0.5), Outcome(FEED, 200, 1.25, 0.5)])

    assert len(answers.received_by(1.5)) == 1


def test_what_was_sent_by_a_time_may_have_been_due_earlier() -> None:
    answers = Outcomes([Outcome(FEED, 200, 1.0, 0.5), Outcome(FEED, 200, 1.25, 0.5, lateness=0.5)])

    assert len(answers.sent_by(1.5)) == 1


def test_a_success_that_lacks_something_is_not_well() -> None:
    answers = Outcomes(
        [
            Outcome(FEED, 200, 0, 1),
            Outcome(FEED, 200, 1, 1, is_complete=False),
            Outcome(FEED, 503, 2, 1, is_complete=False),
        ]
    )

    assert (len(answers.imperfect), len(answers.incomplete)) == (2, 1)
    assert answers.summary == "200: 2, 503: 1, incomplete: 1"


def test_no_answer_and_a_client_that_left_have_names() -> None:
    assert (
        Outcomes([Outcome(FEED, NO_RESPONSE, 0, 1), Outcome(FEED, DISCONNECTED, 1, 1)]).summary
        == "disconnected: 1, none: 1"
    )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((), "none"),
        ((math.nan,), "none"),
        ((12.0,), "12 ms"),
        ((14.0, 11.0, 12.0), "12 ms (11 to 14)"),
        ((0.25, 150.4), "75 ms (0.25 to 150)"),
    ],
)
def test_a_spread_is_the_median_the_least_and_the_most(values: tuple[float, ...], told: str) -> None:
    assert format_spread(values, "ms") == told
