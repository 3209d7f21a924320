"""The output of `gateway demo`."""

import io
from dataclasses import replace
from itertools import groupby

import pytest
from rich.console import Console

from gateway.cli.demo.command import report_outcomes
from gateway.cli.demo.expected import (
    REPLAY,
    InvalidAnswer,
    Problem,
    accepted_commit,
    degraded_success,
    failure,
    success,
)
from gateway.cli.demo.outcome import CallRecord, Outcome
from gateway.cli.demo.report import print_outcomes
from gateway.cli.demo.scenario import Scenario, post
from tests.cli.demo.sample_scenarios import (
    BOUGHT,
    BUY,
    FAILURE,
    FIRST,
    FORUM,
    OUT_OF_STOCK,
    SHOP,
    SUCCESS,
    UNKNOWN_USER,
    with_calls,
)


def print_report(*outcomes: Outcome, width: int = 100) -> tuple[int, str]:
    """Print the report of *outcomes*; return the exit code and the text."""
    out = io.StringIO()
    console = Console(file=out, width=width)
    for _, played in groupby(outcomes, key=lambda outcome: outcome.scenario.pipeline):
        print_outcomes(console, [*played])
    code = report_outcomes(console, outcomes)
    return code, out.getvalue()


def read_rows(text: str) -> list[list[str]]:
    """Return the words of each row of the table, without its header."""
    table = text.partition("─\n")[2].partition("\n\n")[0]
    return [line.split() for line in table.splitlines()]


def test_report_exits_0_if_all_passed() -> None:
    code, text = print_report(SUCCESS, FAILURE)

    assert code == 0
    assert text.endswith("\n\nshop: 2 of 2 passed\nall 2 scenarios passed\n")
    assert "FAIL" not in text


def test_report_explains_failure_and_exits_1() -> None:
    code, text = print_report(
        SUCCESS, with_calls(replace(FAILURE, answers=(failure(UNKNOWN_USER),)), ()), width=400
    )

    assert code == 1
    assert "FAIL two at once" in text
    assert text.partition("two at once failed:\n")[2].splitlines() == [
        "  status: expected 207; got 404",
        "  code: expected aggregate; got not-found",
        f"  errors: expected {UNKNOWN_USER}, {OUT_OF_STOCK}; got {UNKNOWN_USER}",
        "  calls made: expected users.fetch, inventory.check; got none",
        "  calls never made: expected pricing.tax; got users.fetch, inventory.check, pricing.tax",
        "",
        "shop: 1 of 2 passed",
        "1 of 2 scenarios failed",
    ]


def test_report_row_shows_answer_calls_and_times() -> None:
    _, text = print_report(SUCCESS, FAILURE, width=80)

    assert read_rows(text) == [
        ["pass", "buy", "200", "3/0/0", "110", "264"],
        ["pass", "two", "at", "once", "207", "aggregate", "2/0/1", "50", "100"],
        ["404", "not-found", "users.fetch"],
        ["409", "conflict", "inventory.check"],
    ]


@pytest.mark.parametrize("made", [(), ("users.fetch",)])
def test_report_omits_serial_time_below_two_calls(made: tuple[str, ...]) -> None:
    _, text = print_report(with_calls(FAILURE, made))

    assert read_rows(text)[0][-2:] == ["50", "-"]


def test_report_shows_dashes_for_missing_data() -> None:
    _, text = print_report(
        Outcome(BUY, (InvalidAnswer("nonsense", 200),), None),
        Outcome(BUY, (InvalidAnswer("it broke"),), None),
    )

    assert read_rows(text) == [
        ["FAIL", "buy", "200", "-", "-", "-"],
        ["FAIL", "buy", "-", "-", "-", "-"],
    ]
    assert "  answer: expected a valid answer; got 200, but nonsense\n" in text
    assert "  answer: expected a valid answer; got it broke\n" in text
    assert "  record of the calls: expected a record; got none\n" in text


def test_report_has_a_table_for_each_pipeline() -> None:
    read = Scenario(FORUM, "read", post("/forum", "{}"), success(200), FORUM.calls)

    _, text = print_report(SUCCESS, Outcome(read, (success(200),), CallRecord(FORUM.calls, (), 0.04, 0.04)))

    shop, forum = text.split("forum, up to 1 calls: social.posts\n")
    assert shop.startswith("shop, up to 3 calls: users.fetch, inventory.check; then pricing.tax\n")
    assert read_rows(shop) == [["pass", "buy", "200", "3/0/0", "110", "264"]]
    assert read_rows(forum) == [["pass", "read", "200", "1/0/0", "40", "-"]]


def test_report_table_fits_80_columns() -> None:
    problem = Problem(409, "conflict", "payments.execute_transfer")
    long = Scenario(SHOP, "a scenario with a long name", post("/shop", "{}"), failure(problem), FIRST)

    _, text = print_report(Outcome(long, (failure(problem),), CallRecord(FIRST, (), 1.004, 1.108)), width=80)

    assert max(map(len, text.splitlines())) <= 80
    assert "409 conflict" in text
    assert "payments.execute_transfer 2/0/1 1004   1108" in text


def test_report_row_lists_degraded_fields() -> None:
    _, text = print_report(replace(SUCCESS, answers=(degraded_success(200, "engagement", "recommended"),)))

    assert read_rows(text) == [
        ["FAIL", "buy", "200", "degraded", "engagement", "3/0/0", "110", "264"],
        ["recommended"],
    ]


def test_report_row_excludes_undos_from_count() -> None:
    """A row lists its undos by name, and its count of calls excludes them."""
    _, text = print_report(with_calls(SUCCESS, (*FIRST, "inventory.release")))

    assert read_rows(text) == [
        ["FAIL", "buy", "200", "2/0/1", "50", "100"],
        ["undone", "by", "inventory.release"],
    ]


def test_report_row_shows_both_answers_and_replays() -> None:
    repeated = replace(BUY, answer=REPLAY, first=(post("/shop", "{}"), accepted_commit("shop")))
    replayed = REPLAY.resolve(BOUGHT)
    refused = REPLAY.resolve(failure(OUT_OF_STOCK))

    _, text = print_report(
        replace(SUCCESS, scenario=repeated, answers=(accepted_commit("shop"), replayed)),
        replace(SUCCESS, scenario=repeated, answers=(replayed, refused)),
    )

    assert [row[-5:] for row in read_rows(text)] == [
        ["202", "running", "3/0/0", "110", "264"],
        ["200", "replayed"],
        ["200", "replayed", "3/0/0", "110", "264"],
        ["409", "conflict", "replayed", "inventory.check"],
    ]


def test_report_uses_paragraphs_on_narrow_terminal() -> None:
    _, text = print_report(SUCCESS, FAILURE, width=40)

    assert max(map(len, text.splitlines())) <= 40
    assert " ".join(text.split("\n\n")[1].split()) == (
        "pass buy: 200; calls: 3/0/0; 110 ms, serial 264 "
        "pass two at once: 207 aggregate; 404 not-found users.fetch; 409 conflict inventory.check; "
        "calls: 2/0/1; 50 ms, serial 100"
    )
