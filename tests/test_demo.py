"""What `gateway demo` makes of what came."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import httpx
import pytest
from pydantic import JsonValue
from rich.console import Console
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.demo.answer import Answer, NoAnswer, Problem, Violation, alone, read, several, whole
from gateway.demo.command import verdict
from gateway.demo.outcome import Difference, Outcome, Record
from gateway.demo.runner import MakeApp, Runner
from gateway.demo.scenario import Pipeline, Scenario, post
from gateway.settings import Settings
from gateway.telemetry.trace import Trace

NO_USER: Final = Problem(404, "not-found", "users.fetch")
NO_STOCK: Final = Problem(409, "conflict", "inventory.check")

FIRST: Final = ("users.fetch", "inventory.check")
SHOP: Final = Pipeline("shop", (FIRST, ("pricing.tax",)))
FORUM: Final = Pipeline("forum", (("social.posts",),))

BOUGHT: Final = whole(200, total="67.10")
BOTH: Final = several(207, NO_USER, NO_STOCK)
BUY: Final = Scenario(SHOP, "buy", post("/shop", "{}"), BOUGHT, SHOP.calls)
FAIL: Final = Scenario(SHOP, "two at once", post("/shop", "{}"), BOTH, FIRST)

SUCCESS: Final = Outcome(BUY, BOUGHT, Record(SHOP.calls, (), 0.11, 0.264))
FAILURE: Final = Outcome(FAIL, BOTH, Record(FIRST, (), 0.05, 0.1))


def did(outcome: Outcome, made: tuple[str, ...], cancelled: tuple[str, ...] = ()) -> Outcome:
    return replace(outcome, record=Record(made, cancelled, 0.05, 0.1))


def printed(*outcomes: Outcome, width: int = 100) -> tuple[int, str]:
    out = io.StringIO()
    code = verdict(Console(file=out, width=width), outcomes)
    return code, out.getvalue()


def rows(said: str) -> list[list[str]]:
    """Split what stands in the table, after its rule."""
    table = said.partition("─\n")[2].partition("\n\n")[0]
    return [line.split() for line in table.splitlines()]


def gateway(respond: Callable[[], Response]) -> MakeApp:
    """Stand in for the gateway's app: it answers what *respond* gives, and tells nobody what it did."""

    async def endpoint(_: Request) -> Response:
        return respond()

    def make_app(_: Settings, __: httpx.AsyncBaseTransport, ___: Callable[[str, Trace], None]) -> Starlette:
        return Starlette(routes=[Route("/shop", endpoint, methods=["POST"])])

    return make_app


async def played(make_app: MakeApp) -> Outcome:
    async with httpx.MockTransport(lambda _: httpx.Response(500)) as transport:
        return await Runner(8101, {}, transport, make_app).play(BUY)


def fail() -> Response:
    raise ZeroDivisionError


@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE])
def test_what_came_as_expected_is_right(outcome: Outcome) -> None:
    assert outcome.is_right


@pytest.mark.parametrize(
    ("outcome", "what", "came"),
    [
        (replace(FAILURE, answer=replace(BOTH, status=500)), "status", 500),
        (replace(FAILURE, answer=replace(BOTH, code="invalid")), "code", "invalid"),
        (replace(FAILURE, answer=several(207, NO_STOCK, NO_USER)), "errors", (NO_STOCK, NO_USER)),
        (replace(SUCCESS, answer=whole(200, total="67.11")), "total", '"67.11"'),
        (replace(SUCCESS, answer=whole(200, total=67.1)), "total", "67.1"),
        (replace(SUCCESS, answer=whole(200)), "total", None),
        (replace(SUCCESS, answer=replace(BOUGHT, headers={})), "Gateway-Completed", None),
        (did(SUCCESS, (*SHOP.calls, "users.fetch")), "calls made", (*SHOP.calls, "users.fetch")),
        (did(SUCCESS, SHOP.calls, FIRST), "calls cancelled", FIRST),
        (replace(SUCCESS, answer=NoAnswer("nonsense", 200)), "answer", "200, but nonsense"),
        (replace(SUCCESS, record=None), "record of the calls", None),
    ],
)
def test_whatever_came_otherwise_is_a_difference(outcome: Outcome, what: str, came: object) -> None:
    (difference,) = outcome.differences

    assert (difference.what, difference.came) == (what, came)
    assert not outcome.is_right


@pytest.mark.parametrize("came", [1, True])
def test_a_number_is_not_a_truth_value(came: JsonValue) -> None:
    due = whole(200, quantity=1)
    outcome = Outcome(replace(BUY, answer=due), whole(200, quantity=came), SUCCESS.record)

    assert outcome.is_right is (came is not True)


def test_what_an_answer_has_besides_is_no_difference() -> None:
    more = replace(BOUGHT, fields={"total": "67.10", "user": {}}, headers={**BOUGHT.headers, "X": "y"})

    assert replace(SUCCESS, answer=more).is_right


def test_a_call_that_ought_not_to_have_been_made_is_a_difference() -> None:
    assert did(FAILURE, SHOP.calls).differences == [
        Difference("calls made", FIRST, SHOP.calls),
        Difference("calls never made", ("pricing.tax",), ()),
    ]


@pytest.mark.parametrize("cancelled", [(), ("inventory.check",)])
def test_a_call_that_may_be_cut_short_is_right_either_way(cancelled: tuple[str, ...]) -> None:
    fails_fast = replace(FAILURE, scenario=replace(FAIL, cancellable=("inventory.check",)))

    assert did(fails_fast, FIRST, cancelled).is_right


def test_if_all_is_right_the_exit_code_is_0() -> None:
    code, said = printed(SUCCESS, FAILURE)

    assert code == 0
    assert said.endswith("\nall 2 scenarios came out as the contract says\n")
    assert "WRONG" not in said


def test_a_wrong_row_makes_the_exit_code_1_and_says_what_was_expected_and_what_came() -> None:
    code, said = printed(SUCCESS, did(replace(FAILURE, answer=alone(NO_USER)), ()), width=400)

    assert code == 1
    assert "WRONG two at once" in said
    assert said.partition("two at once is wrong:\n")[2].splitlines() == [
        "  status: expected 207; came 404",
        "  code: expected aggregate; came not-found",
        f"  errors: expected {NO_USER}, {NO_STOCK}; came {NO_USER}",
        "  calls made: expected users.fetch, inventory.check; came none",
        "  calls never made: expected pricing.tax; came users.fetch, inventory.check, pricing.tax",
        "",
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
    _, said = printed(Outcome(BUY, NoAnswer("nonsense", 200), None), Outcome(BUY, NoAnswer("it broke"), None))

    assert rows(said) == [
        ["WRONG", "buy", "200", "-", "-", "-"],
        ["WRONG", "buy", "-", "-", "-", "-"],
    ]
    assert "  answer: expected one of the gateway's; came 200, but nonsense\n" in said
    assert "  answer: expected one of the gateway's; came it broke\n" in said
    assert "  record of the calls: expected one; came none\n" in said


def test_each_pipeline_has_a_table_under_the_names_of_its_calls() -> None:
    read_it = Scenario(FORUM, "read", post("/forum", "{}"), whole(200), FORUM.calls)

    _, said = printed(SUCCESS, Outcome(read_it, whole(200), Record(FORUM.calls, (), 0.04, 0.04)))

    shop, forum = said.split("forum makes up to 1 calls: social.posts\n")
    assert shop.startswith("shop makes up to 3 calls: users.fetch, inventory.check; then pricing.tax\n")
    assert rows(shop) == [["right", "buy", "200", "3/0/0", "110", "264"]]
    assert rows(forum) == [["right", "read", "200", "1/0/0", "40", "-"]]


def test_the_table_fits_80_columns_whatever_the_names_of_its_calls_are() -> None:
    problem = Problem(409, "conflict", "payments.execute_transfer")
    long = Scenario(SHOP, "a scenario with a long name", post("/shop", "{}"), alone(problem), FIRST)

    _, said = printed(Outcome(long, alone(problem), Record(FIRST, (), 1.004, 1.108)), width=80)

    assert max(map(len, said.splitlines())) <= 80
    assert "409 conflict" in said
    assert "payments.execute_transfer 2/0/1 1004 1108" in said


def test_where_there_is_no_room_for_a_table_each_scenario_is_a_paragraph() -> None:
    _, said = printed(SUCCESS, FAILURE, width=40)

    assert max(map(len, said.splitlines())) <= 40
    assert " ".join(said.split("\n\n")[1].split()) == (
        "right buy: 200; calls: 3/0/0; 110 ms, in turn 264 "
        "right two at once: 207 aggregate; 404 not-found users.fetch; 409 conflict inventory.check; "
        "calls: 2/0/1; 50 ms, in turn 100"
    )


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (
            httpx.Response(200, json={"user": {}, "total": "67.10"}),
            Answer(200, fields={"user": {}, "total": "67.10"}),
        ),
        (
            httpx.Response(404, json={"status": 404, "code": "not-found", "source": "users.fetch"}),
            alone(NO_USER),
        ),
        (
            httpx.Response(
                422,
                json={
                    "status": 422,
                    "code": "invalid",
                    "violations": [{"field": "address", "messages": ["must not be blank"]}],
                },
            ),
            alone(Problem(422, "invalid", violations=(Violation("address"),))),
        ),
        (
            httpx.Response(
                207,
                json={
                    "status": 207,
                    "code": "aggregate",
                    "errors": [
                        {"status": 404, "code": "not-found", "source": "users.fetch"},
                        {"status": 409, "code": "conflict", "source": "inventory.check"},
                    ],
                },
            ),
            BOTH,
        ),
    ],
)
def test_an_answer_is_read_as_far_as_the_contract_fixes_it(response: httpx.Response, answer: Answer) -> None:
    if answer.code:
        response.headers["Content-Type"] = "application/problem+json"

    assert read(response) == replace(answer, headers=response.headers)


@pytest.mark.parametrize(
    ("media_type", "body", "why"),
    [
        ("text/plain", "{}", "its media type is text/plain"),
        ("application/json", "<html>", "Invalid JSON: expected value at line 1 column 1"),
        ("application/json", "[]", "Input should be an object"),
        ("application/problem+json", "{}", "status: Field required; code: Field required"),
        (
            "application/problem+json",
            '{"status": "404", "code": "x"}',
            "status: Input should be a valid integer",
        ),
    ],
)
def test_what_the_gateway_never_says_is_no_answer(media_type: str, body: str, why: str) -> None:
    response = httpx.Response(404, headers={"Content-Type": media_type}, text=body)

    assert read(response) == NoAnswer(why, 404)


@pytest.mark.parametrize(
    ("respond", "came"),
    [
        (fail, "the gateway raised ZeroDivisionError()"),
        (lambda: JSONResponse([]), "200, but Input should be an object"),
        (lambda: Response("{", media_type="application/problem+json"), "200, but Invalid JSON: "),
    ],
)
async def test_a_gateway_that_breaks_or_talks_nonsense_is_reported(
    respond: Callable[[], Response], came: str
) -> None:
    answer, record = (await played(gateway(respond))).differences

    assert str(answer.came).startswith(came)
    assert record == Difference("record of the calls", "one", None)


async def test_a_gateway_that_does_not_tell_what_it_did_is_reported() -> None:
    outcome = await played(
        gateway(lambda: JSONResponse({"total": "67.10"}, headers={"Gateway-Completed": "true"}))
    )

    assert outcome.differences == [Difference("record of the calls", "one", None)]


def test_a_problem_is_told_with_its_source_or_its_fields() -> None:
    told = [
        str(NO_USER),
        str(Problem(422, "invalid", violations=(Violation("address"),))),
        str(Problem(400, "malformed")),
    ]

    assert told == ["404 not-found users.fetch", "422 invalid address", "400 malformed"]
