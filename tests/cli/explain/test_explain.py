"""What `gateway explain` finds out, and what it prints."""

import io
import json
from dataclasses import replace
from typing import Any, Final

import pytest
from fastapi import FastAPI
from rich.console import Console

from gateway.api.endpoints.pipelines import Described, Pipelines
from gateway.app import create_app
from gateway.cli.explain.command import explain
from gateway.cli.explain.measurement import MeasuringError, measured
from gateway.cli.explain.options import NoSuchThingError, Options, chosen, latency, milliseconds
from gateway.plan.plan import Kind, Plan, PlannedCall, PlannedStage
from gateway.settings import Settings
from tests.integration.in_process import InProcess

FEED: Final = Options("feed", default=0.04)
TRANSFERS: Final = Options("transfers", {"accounts.fetch": 0.05, "fraud.check_transfer": 0.0305}, 0.04)


@pytest.fixture
def services() -> InProcess:
    return InProcess()


@pytest.fixture
def app(services: InProcess) -> FastAPI:
    return create_app(Settings(), services)


def described(app: FastAPI, name: str) -> Described:
    pipelines: Pipelines = app.state.pipelines
    return next(one for one in pipelines.described if one.plan.name == name)


async def printed(app: FastAPI, options: Options, width: int = 80) -> str:
    out = io.StringIO()
    code = await explain(Console(file=out, width=width, highlight=False, markup=False), options, app)
    assert code == 0
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


async def data(app: FastAPI, options: Options) -> Any:  # noqa: ANN401 - JSON
    return json.loads(await printed(app, replace(options, as_json=True)))


async def test_a_checkout_takes_as_long_as_the_contract_says(app: FastAPI) -> None:
    said = await printed(app, Options("checkout", is_measured=True))

    assert "critical path: 110 ms; one call after the other: 260 ms\n" in said
    assert "  users.fetch=50 + shipping.quote=40 + pricing.tax=20\n" in said
    assert "times: median of 5 runs on the services\n" in said


async def test_what_is_measured_is_the_time_of_each_call(app: FastAPI) -> None:
    times = await measured(described(app, "checkout"), app.state.serving, runs=1)

    assert {name: round(seconds, 6) for name, seconds in times.items()} == {
        "users.fetch": 0.05,
        "inventory.check": 0.05,
        "payments.validate": 0.05,
        "fraud.assess": 0.03,
        "shipping.quote": 0.04,
        "pricing.tax": 0.02,
        "pricing.discount": 0.02,
    }


async def test_it_is_the_median_of_the_runs_and_the_first_does_not_count(
    services: InProcess, app: FastAPI
) -> None:
    await services.be_slow("user", "/users", 900, 100, 200, 300)

    times = await measured(described(app, "checkout"), app.state.serving, runs=3)

    assert times["users.fetch"] == pytest.approx(0.2)


async def test_it_is_run_once_more_than_it_counts(services: InProcess, app: FastAPI) -> None:
    await measured(described(app, "checkout"), app.state.serving, runs=3)

    assert await services.calls_of("fraud") == ["POST /assessments"] * 4


@pytest.mark.parametrize(
    ("name", "services_of_writes", "writes"),
    [
        ("orders", ["inventory"], {"inventory.reserve"}),
        ("transfers", ["payment", "account"], {"payments.execute_transfer", "accounts.post"}),
        (
            "purchases",
            ["order", "notification", "analytics"],
            {"orders.create", "notifications.send", "analytics.track"},
        ),
    ],
)
async def test_no_write_is_made_to_measure_and_none_has_a_time(
    services: InProcess, app: FastAPI, name: str, services_of_writes: list[str], writes: set[str]
) -> None:
    pipeline = described(app, name)
    times = await measured(pipeline, app.state.serving, runs=1)

    asked = [call for service in services_of_writes for call in await services.calls_of(service)]
    assert not [call for call in asked if not call.startswith("GET ")]
    assert {call.name for call in pipeline.plan.calls} - {*times} == writes


async def test_writes_are_made_to_measure_if_that_is_said(services: InProcess, app: FastAPI) -> None:
    times = await measured(described(app, "transfers"), app.state.serving, runs=2, writes=True)

    assert times["accounts.post"] == pytest.approx(0.04)
    assert (await services.calls_of("payment")) == ["POST /transfers"] * 3


async def test_a_call_that_the_answer_did_without_has_no_time(services: InProcess, app: FastAPI) -> None:
    await services.break_down("social", ("/engagement", "status"))
    times = await measured(described(app, "feed"), app.state.serving, runs=1)

    assert "social.engagement" not in times
    assert times["social.recommendations"] == pytest.approx(0.04)


async def test_an_optional_call_that_hangs_is_cut_off_as_it_is_served(
    services: InProcess, app: FastAPI
) -> None:
    await services.break_down("social", ("/engagement", "hang"))

    assert "social.engagement" not in await measured(described(app, "feed"), app.state.serving, runs=1)


async def test_a_pipeline_that_fails_cannot_be_measured(services: InProcess, app: FastAPI) -> None:
    await services.break_down("fraud", ("/assessments", "garbage"))

    with pytest.raises(MeasuringError, match=r"^fraud\.assess: bad-answer: The fraud service gave"):
        await measured(described(app, "checkout"), app.state.serving, runs=1)


async def test_then_the_command_says_why_and_ends_with_1(
    services: InProcess, app: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    await services.break_down("user", ("/users", "status"))
    code = await explain(Console(file=io.StringIO()), Options("feed", is_measured=True), app)

    assert code == 1
    assert "gateway: feed could not be measured: " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["checkout", "orders", "feed", "transfers", "purchases"])
async def test_it_is_answered_with_what_openapi_has_for_its_route(app: FastAPI, name: str) -> None:
    about = described(app, name).description
    operation = app.openapi()["paths"][about["path"]][about["method"].lower()]

    assert (
        f"answers: {' '.join(sorted(operation['responses']))}\n" in await printed(app, Options(name)) + "\n"
    )


async def test_times_that_are_given_ask_nobody(services: InProcess, app: FastAPI) -> None:
    said = await printed(app, TRANSFERS)

    assert "critical path: 170 ms; one call after the other: 280.5 ms\n" in said
    assert "times: as given\n" in said
    assert await services.calls_of("account") == []


async def test_times_that_are_given_stand_before_those_that_are_measured(app: FastAPI) -> None:
    said = await printed(app, replace(TRANSFERS, latencies={"accounts.post": 0.09}, is_measured=True))

    assert "critical path: 220 ms; " in said
    assert "times: median of 5 runs on the services, without writes (see --with-writes);" in said
    assert "\nelse as given\n" in said


async def test_with_its_writes_nothing_is_said_of_them(app: FastAPI) -> None:
    said = await printed(app, Options("transfers", is_measured=True, writes=True, runs=1))

    assert "critical path: 170 ms; one call after the other: 290 ms\n" in said
    assert "times: median of one run on the services\n" in said


async def test_without_times_there_are_none_and_it_says_how_to_get_them(app: FastAPI) -> None:
    said = await printed(app, Options("checkout"))

    assert "slack" not in said
    assert "critical path" not in said
    assert "times: unknown; --measure asks the services, --latency and --latency-default" in said


async def test_what_is_not_known_makes_a_least_of_the_rest(app: FastAPI) -> None:
    said = await printed(app, Options("orders", {"shipping.quote": 0.04}))

    assert "critical path: at least 40 ms; one call after the other: at least 40 ms\n" in said
    rows = [line.split() for line in said.splitlines()]
    assert [row[-2:] for row in rows if row[:1] == ["inventory.reserve"]] == [["?", "?"]]
    assert ["fulfilment:", "commit,", "parallel", "?"] in rows


async def test_it_draws_stages_calls_writes_and_undos_within_80_columns(app: FastAPI) -> None:
    said = await printed(app, replace(TRANSFERS, latencies={"accounts.fetch": 0.05}))

    assert "\nsettlement: commit, in order" in said
    assert "\n    undo: accounts.reverse_posting" in said
    assert "\n  accounts.fetch " in said
    assert max(map(len, said.splitlines())) <= 80


async def test_an_optional_call_that_cannot_delay_may_take_any_time(app: FastAPI) -> None:
    said = await printed(app, Options("feed", {"social.posts": 0.6}, 0.04))

    (row,) = (line for line in said.splitlines() if line.startswith("  social.notifications"))
    assert row.split() == ["social.notifications", "read,", "optional", "40", "any"]


async def test_what_follows_a_commit_says_so(app: FastAPI) -> None:
    said = await printed(app, Options("purchases", default=0.02))

    assert "\nannounce: settle, after the commit" in said
    assert "write, best effort" in said


async def test_it_says_how_the_pipeline_can_answer(app: FastAPI) -> None:
    assert (await printed(app, FEED)).endswith("\nanswers: 200 400 404 408 413 422 429 500 502 503 504")


async def test_without_a_name_it_lists_the_pipelines(app: FastAPI) -> None:
    said = await printed(app, Options())

    assert [line.split()[0] for line in said.splitlines()[2:]] == [
        "checkout", "orders", "feed", "transfers", "purchases",
    ]  # fmt: skip
    assert "GET /feed/{user_id}" in said
    assert "account data, checks, settlement" in said


async def test_the_list_as_data_is_that_of_the_gateway(app: FastAPI) -> None:
    assert await data(app, Options()) == json.loads(app.state.pipelines.body)


async def test_an_explanation_as_data_has_the_times_of_every_call(app: FastAPI) -> None:
    said = await data(app, Options("feed", {"social.posts": 0.6, "users.fetch": 0.03}, 0.02))

    assert said["pipeline"] == described(app, "feed").description
    assert (said["times"]["critical_path_ms"], said["times"]["in_turn_ms"]) == (650, 730)
    assert said["times"]["critical_path"] == ["users.fetch", "social.posts", "social.engagement"]
    assert said["times"]["calls"][:5] == [
        {"name": "users.fetch", "ms": 30, "slack_ms": 0},
        {"name": "social.friends", "ms": 20, "slack_ms": 10},
        {"name": "users.settings", "ms": 20, "slack_ms": 10},
        {"name": "social.posts", "ms": 600, "slack_ms": 0},
        {"name": "social.notifications", "ms": 20, "slack_ms": None},
    ]


async def test_what_is_not_known_is_left_out_of_the_data(app: FastAPI) -> None:
    times = (await data(app, Options("feed", {"users.fetch": 0.03})))["times"]

    assert times["calls"][:2] == [{"name": "users.fetch", "ms": 30}, {"name": "social.friends"}]
    assert times["unknown"][0] == "social.friends"


INNER: Final = PlannedStage(None, None, (PlannedCall("a.b"),))
BOTH: Final = PlannedCall("both", Kind.NOTHING, then=(INNER, PlannedCall("c.d")))
NESTED: Final = Plan("nested", "Look about.", (PlannedStage(None, None, (BOTH,)),))


@pytest.fixture
def nested(app: FastAPI) -> FastAPI:
    pipelines = app.state.pipelines
    pipelines.add(replace(described(app, "feed"), plan=NESTED))
    return app


async def test_what_a_call_goes_on_with_stands_under_it(nested: FastAPI) -> None:
    rows = (await printed(nested, Options("nested", default=0.02))).splitlines()[6:11]

    assert [row[:16].rstrip() for row in rows] == [
        "(no stage)",
        "  both",
        "    (no stage)",
        "      a.b",
        "    c.d",
    ]
    assert rows[1].split() == ["both", "asks", "nobody"]


async def test_what_a_call_goes_on_with_stands_after_it_in_the_data(nested: FastAPI) -> None:
    times = (await data(nested, Options("nested", default=0.02)))["times"]

    assert [call["name"] for call in times["calls"]] == ["a.b", "c.d"]
    assert times["critical_path"] == ["a.b", "c.d"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options("transfer"), "there is no pipeline 'transfer': did you mean transfers?"),
        (Options("x"), "there is no pipeline 'x': there are checkout, orders, feed, transfers, purchases"),
        (
            Options("transfers", {"accounts.fech": 1}),
            "transfers makes no call 'accounts.fech': did you mean accounts.fetch?",
        ),
    ],
)
async def test_a_name_that_is_none_is_told_with_those_that_are_close(
    app: FastAPI, options: Options, message: str
) -> None:
    with pytest.raises(NoSuchThingError) as error:
        await explain(Console(file=io.StringIO()), options, app)

    assert str(error.value) == message


def test_all_names_that_are_close_are_told() -> None:
    with pytest.raises(NoSuchThingError, match=r"no word 'abcd': did you mean abcd1 or abcd1x\?$"):
        chosen("abcd", ["abcd1x", "xyz", "abcd1"], "no word")


def test_a_name_that_is_one_has_a_place() -> None:
    assert chosen("b", "abc", "there is no letter") == 1


@pytest.mark.parametrize(
    ("text", "read"), [("a.b=50", ("a.b", 0.05)), ("a=b=0.5", ("a=b", 0.0005)), ("a.b=0", ("a.b", 0.0))]
)
def test_a_latency_is_a_call_and_its_milliseconds(text: str, read: tuple[str, float]) -> None:
    assert latency(text) == read


@pytest.mark.parametrize("text", ["", "50", "=50", "a.b=", "a.b=x", "a.b=-1", "a.b=inf", "a.b=nan"])
def test_what_is_no_latency_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        latency(text)


def test_milliseconds_are_read_as_seconds() -> None:
    assert milliseconds("12.5") == 0.0125
