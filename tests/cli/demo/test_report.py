"""What `gateway demo` prints."""

import io
from dataclasses import replace
from itertools import groupby

import pytest
from rich.console import Console

from gateway.cli.demo.command import verdict
from gateway.cli.demo.expected import AGAIN, NoAnswer, Problem, alone, degraded, running, whole
from gateway.cli.demo.outcome import Outcome, Record
from gateway.cli.demo.report import show
from gateway.cli.demo.scenario import Scenario, post
from tests.cli.demo.sample_scenarios import (
    BOUGHT,
    BUY,
    FAILURE,
    FIRST,
    FORUM,
    NO_STOCK,
    NO_USER,
    SHOP,
    SUCCESS,
    did,
)


def printed(*outcomes: Outcome, width: int = 100) -> tuple[int, str]:
    out = io.StringIO()
    console = Console(file=out, width=width)
    for _, played in groupby(outcomes, key=lambda outcome: outcome.scenario.pipeline):
        show(console, [*played])
    code = verdict(console, outcomes)
    return code, out.getvalue()


def rows(said: str) -> list[list[str]]:
    """Split what stands in the table, after its rule."""
    table = said.partition("─\n")[2].partition("\n\n")[0]
    return [line.split() for line in table.splitlines()]


def test_if_all_is_right_the_exit_code_is_0() -> None:
    code, said = printed(SUCCESS, FAILURE)

    assert code == 0
    assert said.endswith("\n\nshop: 2 of 2 right\nall 2 scenarios came out as the contract says\n")
    assert "WRONG" not in said


def test_a_wrong_row_makes_the_exit_code_1_and_says_what_was_expected_and_what_came() -> None:
    code, said = printed(SUCCESS, did(replace(FAILURE, answers=(alone(NO_USER),)), ()), width=400)

    assert code == 1
    assert "WRONG two at once" in said
    assert said.partition("two at once is wrong:\n")[2].splitlines() == [
        "  status: expected 207; came 404",
        "  code: expected aggregate; came not-found",
        f"  errors: expected {NO_USER}, {NO_STOCK}; came {NO_USER}",
        "  calls made: expected users.fetch, inventory.check; came none",
        "  calls never made: expected pricing.tax; came users.fetch, inventory.check, pricing.tax",
        "",
        "shop: 1 of 2 right",
        "1 of 2 scenarios did not come out as the contract says",
    ]


def test_a_row_has_status_code_source_calls_and_both_times_and_a_line_for_each_error() -> None:
    _, said = printed(SUCCESS, FAILURE, width=80)

    assert rows(said) == [
        ["right", "buy", "200", "3/0/0", "110", "264"],
        ["right", "two", "at", "once", "207", "aggregate", "2/0/1", "50", "100"],
        ["404", "not-found", "users.fetch"],
        ["409", "conflict", "inventory.check"],
    ]


@pytest.mark.parametrize("made", [(), ("users.fetch",)])
def test_less_than_two_calls_are_not_compared_with_one_after_the_other(made: tuple[str, ...]) -> None:
    _, said = printed(did(FAILURE, made))

    assert rows(said)[0][-2:] == ["50", "-"]


def test_a_row_without_an_answer_or_a_record_says_so() -> None:
    _, said = printed(
        Outcome(BUY, (NoAnswer("nonsense", 200),), None), Outcome(BUY, (NoAnswer("it broke"),), None)
    )

    assert rows(said) == [
        ["WRONG", "buy", "200", "-", "-", "-"],
        ["WRONG", "buy", "-", "-", "-", "-"],
    ]
    assert "  answer: expected one of the gateway's; came 200, but nonsense\n" in said
    assert "  answer: expected one of the gateway's; came it broke\n" in said
    assert "  record of the calls: expected one; came none\n" in said


def test_each_pipeline_has_a_table_under_the_names_of_its_calls() -> None:
    read_it = Scenario(FORUM, "read", post("/forum", "{}"), whole(200), FORUM.calls)

    _, said = printed(SUCCESS, Outcome(read_it, (whole(200),), Record(FORUM.calls, (), 0.04, 0.04)))

    shop, forum = said.split("forum, up to 1 calls: social.posts\n")
    assert shop.startswith("shop, up to 3 calls: users.fetch, inventory.check; then pricing.tax\n")
    assert rows(shop) == [["right", "buy", "200", "3/0/0", "110", "264"]]
    assert rows(forum) == [["right", "read", "200", "1/0/0", "40", "-"]]


def test_the_table_fits_80_columns_whatever_the_names_of_its_calls_are() -> None:
    problem = Problem(409, "conflict", "payments.execute_transfer")
    long = Scenario(SHOP, "a scenario with a long name", post("/shop", "{}"), alone(problem), FIRST)

    _, said = printed(Outcome(long, (alone(problem),), Record(FIRST, (), 1.004, 1.108)), width=80)

    assert max(map(len, said.splitlines())) <= 80
    assert "409 conflict" in said
    assert "payments.execute_transfer 2/0/1 1004 1108" in said


def test_a_row_names_what_the_answer_does_without() -> None:
    _, said = printed(replace(SUCCESS, answers=(degraded(200, "engagement", "recommended"),)))

    assert rows(said) == [
        ["WRONG", "buy", "200", "degraded", "engagement", "3/0/0", "110", "264"],
        ["recommended"],
    ]


def test_a_row_names_what_was_undone_and_does_not_count_it_among_the_calls() -> None:
    _, said = printed(did(SUCCESS, (*FIRST, "inventory.release")))

    assert rows(said) == [
        ["WRONG", "buy", "200", "2/0/1", "50", "100"],
        ["undone", "by", "inventory.release"],
    ]


def test_a_row_has_both_answers_where_two_requests_were_sent_and_says_which_was_had_again() -> None:
    waits = replace(BUY, answer=AGAIN, first=(post("/shop", "{}"), running("shop")))
    again = AGAIN.after(BOUGHT)
    refused = AGAIN.after(alone(NO_STOCK))

    _, said = printed(
        replace(SUCCESS, scenario=waits, answers=(running("shop"), again)),
        replace(SUCCESS, scenario=waits, answers=(again, refused)),
    )

    assert [row[-5:] for row in rows(said)] == [
        ["202", "running", "3/0/0", "110", "264"],
        ["200", "again"],
        ["200", "again", "3/0/0", "110", "264"],
        ["409", "conflict", "again", "inventory.check"],
    ]


def test_where_there_is_no_room_for_a_table_each_scenario_is_a_paragraph() -> None:
    _, said = printed(SUCCESS, FAILURE, width=40)

    assert max(map(len, said.splitlines())) <= 40
    assert " ".join(said.split("\n\n")[1].split()) == (
        "right buy: 200; calls: 3/0/0; 110 ms, in turn 264 "
        "right two at once: 207 aggregate; 404 not-found users.fetch; 409 conflict inventory.check; "
        "calls: 2/0/1; 50 ms, in turn 100"
    )
