"""What `gateway demo` makes of what came."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from gateway.demo.answer import Answer, Problem, Violation, alone, read, several
from gateway.demo.command import verdict
from gateway.demo.outcome import Difference, Outcome
from gateway.demo.scenarios import CALLS, STAGE_1, Scenario

NO_USER = Problem(404, "not-found", "users.fetch")
NO_STOCK = Problem(409, "conflict", "inventory.check")

BOUGHT = Answer(200, total="67.10")
SUCCESS = Outcome(Scenario("success", "{}", BOUGHT, CALLS), BOUGHT, CALLS, (), 0.11, 0.264)
BOTH = several(207, NO_USER, NO_STOCK)
FAILURE = Outcome(Scenario("two at once", "{}", BOTH, STAGE_1), BOTH, STAGE_1, (), 0.05, 0.15)


def printed(*outcomes: Outcome, width: int = 100) -> tuple[int, str]:
    out = io.StringIO()
    code = verdict(Console(file=out, width=width), outcomes)
    return code, out.getvalue()


def test_what_came_as_expected_is_right() -> None:
    assert FAILURE.is_right
    assert FAILURE.never_made == ("fraud.assess", "shipping.quote", "pricing.tax", "pricing.discount")


@pytest.mark.parametrize(
    ("outcome", "what", "came"),
    [
        (replace(FAILURE, answer=replace(BOTH, status=500)), "status", 500),
        (replace(FAILURE, answer=replace(BOTH, code="invalid")), "code", "invalid"),
        (replace(FAILURE, answer=several(207, NO_STOCK, NO_USER)), "errors", (NO_STOCK, NO_USER)),
        (replace(SUCCESS, answer=Answer(200, total="67.11")), "total", "67.11"),
        (replace(SUCCESS, made=(*CALLS, CALLS[0])), "calls made", (*CALLS, CALLS[0])),
        (replace(SUCCESS, cancelled=CALLS[:1]), "calls cancelled", CALLS[:1]),
    ],
)
def test_whatever_came_otherwise_is_a_difference(outcome: Outcome, what: str, came: object) -> None:
    (difference,) = outcome.differences

    assert (difference.what, difference.came) == (what, came)
    assert not outcome.is_right


def test_a_call_that_ought_not_to_have_been_made_is_a_difference() -> None:
    assert replace(FAILURE, made=(*STAGE_1, "fraud.assess")).differences == [
        Difference("calls made", STAGE_1, (*STAGE_1, "fraud.assess")),
        Difference("calls never made", CALLS[3:], CALLS[4:]),
    ]


def test_if_all_is_right_the_exit_code_is_0() -> None:
    code, said = printed(SUCCESS, FAILURE)

    assert code == 0
    assert said.endswith("\nall 2 scenarios came out as the contract says\n")
    assert "WRONG" not in said


def test_a_wrong_row_makes_the_exit_code_1_and_says_what_was_expected_and_what_came() -> None:
    wrong = replace(FAILURE, answer=alone(NO_USER), made=())

    code, said = printed(SUCCESS, wrong, width=400)

    assert code == 1
    assert "WRONG two at once" in said
    assert said.partition("two at once is wrong:\n")[2].splitlines() == [
        "  status: expected 207; came 404",
        "  code: expected aggregate; came not-found",
        f"  errors: expected {NO_USER}, {NO_STOCK}; came {NO_USER}",
        "  calls made: expected users.fetch, inventory.check, payments.validate; came none",
        f"  calls never made: expected {', '.join(CALLS[3:])}; came {', '.join(CALLS)}",
        "",
        "1 of 2 scenarios did not come out as the contract says",
    ]


def test_a_row_has_status_code_source_calls_and_time_and_a_line_for_each_error() -> None:
    _, said = printed(FAILURE, width=80)

    assert [line.split() for line in said.splitlines() if "40" in line or "207" in line] == [
        ["right", "two", "at", "once", "207", "aggregate", "3", "/", "0", "/", "4", "50"],
        ["404", "not-found", "users.fetch"],
        ["409", "conflict", "inventory.check"],
    ]


def test_a_success_is_compared_with_one_call_after_the_other() -> None:
    _, said = printed(SUCCESS)

    assert "success: 110 ms; its calls one after the other: 264 ms, 2.4 times as long\n" in said


def test_where_there_is_no_room_for_a_table_each_scenario_is_a_paragraph() -> None:
    _, said = printed(SUCCESS, FAILURE, width=40)

    assert max(map(len, said.splitlines())) <= 40
    assert " ".join(said.split("\n\n")[1].split()) == (
        "right success: 200; calls: 7 made, 0 cancelled, 0 never made; 110 ms "
        "right two at once: 207 aggregate; 404 not-found users.fetch; 409 conflict inventory.check; "
        "calls: 3 made, 0 cancelled, 4 never made; 50 ms"
    )


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, b'{"user": {}, "total": "67.10"}', Answer(200, total="67.10")),
        (404, b'{"status": 404, "code": "not-found", "source": "users.fetch"}', alone(NO_USER)),
        (
            422,
            b'{"code": "invalid", "violations": [{"field": "address", "messages": ["must not be blank"]}]}',
            alone(Problem(422, "invalid", violations=(Violation("address"),))),
        ),
        (
            207,
            b"""{"code": "aggregate", "errors": [
                {"status": 404, "code": "not-found", "source": "users.fetch"},
                {"status": 409, "code": "conflict", "source": "inventory.check"}
            ]}""",
            BOTH,
        ),
    ],
)
def test_an_answer_is_read_as_far_as_the_contract_fixes_it(status: int, body: bytes, answer: Answer) -> None:
    assert read(status, body) == answer


def test_a_problem_is_told_with_its_source_or_its_fields() -> None:
    told = [
        str(NO_USER),
        str(Problem(422, "invalid", violations=(Violation("address"),))),
        str(Problem(400, "malformed")),
    ]

    assert told == ["404 not-found users.fetch", "422 invalid address", "400 malformed"]
