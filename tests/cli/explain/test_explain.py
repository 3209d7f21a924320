"""The output of `gateway explain`, its measurements and its options."""

import io
import json
from argparse import ArgumentTypeError
from dataclasses import replace
from typing import Any, Final

import httpx
import pytest
from rich.console import Console

from gateway.api.application import Gateway
from gateway.api.pipeline_route.description import DescribedPipeline
from gateway.app import create_app
from gateway.cli.explain.command import explain
from gateway.cli.explain.measurement import MeasurementError, measure
from gateway.cli.explain.options import (
    Options,
    UnknownNameError,
    parse_latency,
    parse_milliseconds,
    parse_runs,
    require_known,
)
from gateway.plan.plan import Kind, Plan, PlannedCall, PlannedStage
from gateway.railway import SETTLE
from tests.integration.in_process import InProcessServices

FEED: Final = Options("feed", default=0.04)
TRANSFERS: Final = Options("transfers", {"accounts.fetch": 0.05, "fraud.check_transfer": 0.0305}, 0.04)


@pytest.fixture
def services() -> InProcessServices:
    return InProcessServices()


@pytest.fixture
def app(services: InProcessServices) -> Gateway:
    return create_app(transport=services)


def pipeline_of(app: Gateway, name: str) -> DescribedPipeline:
    return next(pipeline for pipeline in app.pipelines if pipeline.plan.name == name)


async def explain_as_text(app: Gateway, options: Options, width: int = 80) -> str:
    out = io.StringIO()
    code = await explain(Console(file=out, width=width, highlight=False, markup=False), options, app)
    assert code == 0
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


async def explain_as_json(app: Gateway, options: Options) -> Any:  # noqa: ANN401 - JSON
    return json.loads(await explain_as_text(app, replace(options, as_json=True)))


async def test_measured_checkout_takes_110_ms(app: Gateway) -> None:
    text = await explain_as_text(app, Options("checkout", is_measured=True))

    assert "critical path: 110 ms; in sequence: 260 ms\n" in text
    assert "  users.fetch=50 + shipping.quote=40 + pricing.tax=20\n" in text
    assert "times: median of 5 runs on the services\n" in text


async def test_measure_times_every_call(app: Gateway) -> None:
    times = await measure(pipeline_of(app, "checkout"), app.shared, runs=1)

    assert {name: round(seconds, 6) for name, seconds in times.items()} == {
        "users.fetch": 0.05,
        "inventory.check": 0.05,
        "payments.validate": 0.05,
        "fraud.assess": 0.03,
        "shipping.quote": 0.04,
        "pricing.tax": 0.02,
        "pricing.discount": 0.02,
    }


async def test_measure_takes_median_without_first_run(services: InProcessServices, app: Gateway) -> None:
    await services.set_latencies("user", "/users", 900, 100, 200, 300)

    times = await measure(pipeline_of(app, "checkout"), app.shared, runs=3)

    assert times["users.fetch"] == pytest.approx(0.2)


async def test_measure_adds_a_warm_up_run(services: InProcessServices, app: Gateway) -> None:
    await measure(pipeline_of(app, "checkout"), app.shared, runs=3)

    assert await services.fetch_calls("fraud") == ["POST /assessments"] * 4


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
async def test_measure_neither_makes_nor_times_writes(
    services: InProcessServices, app: Gateway, name: str, services_of_writes: list[str], writes: set[str]
) -> None:
    pipeline = pipeline_of(app, name)
    times = await measure(pipeline, app.shared, runs=1)

    requests = [call for service in services_of_writes for call in await services.fetch_calls(service)]
    assert not [call for call in requests if not call.startswith("GET ")]
    assert {call.name for call in pipeline.plan.calls} - {*times} == writes


async def test_with_writes_option_times_writes(services: InProcessServices, app: Gateway) -> None:
    times = await measure(pipeline_of(app, "transfers"), app.shared, runs=2, with_writes=True)

    assert times["accounts.post"] == pytest.approx(0.04)
    assert (await services.fetch_calls("payment")) == ["POST /transfers"] * 3


async def test_failed_optional_call_has_no_time(services: InProcessServices, app: Gateway) -> None:
    await services.set_faults("social", ("/engagement", "status"))
    times = await measure(pipeline_of(app, "feed"), app.shared, runs=1)

    assert "social.engagement" not in times
    assert times["social.recommendations"] == pytest.approx(0.04)


async def test_hanging_optional_call_has_no_time(services: InProcessServices, app: Gateway) -> None:
    await services.set_faults("social", ("/engagement", "hang"))

    assert "social.engagement" not in await measure(pipeline_of(app, "feed"), app.shared, runs=1)


async def test_failing_pipeline_cannot_be_measured(services: InProcessServices, app: Gateway) -> None:
    await services.set_faults("fraud", ("/assessments", "garbage"))

    with pytest.raises(MeasurementError, match=r"^fraud\.assess: bad-answer: The fraud service sent"):
        await measure(pipeline_of(app, "checkout"), app.shared, runs=1)


async def test_failed_measurement_exits_with_code_1(
    services: InProcessServices, app: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    await services.set_faults("user", ("/users", "status"))
    code = await explain(Console(file=io.StringIO()), Options("feed", is_measured=True), app)

    assert code == 1
    assert "gateway: cannot measure feed: users.fetch: unavailable: " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["checkout", "orders", "feed", "transfers", "purchases"])
async def test_explained_statuses_equal_openapi(app: Gateway, name: str) -> None:
    about = pipeline_of(app, name).description
    operation = app.openapi()["paths"][about["path"]][about["method"].lower()]

    assert (
        f"statuses: {' '.join(sorted(operation['responses']))}\n"
        in await explain_as_text(app, Options(name)) + "\n"
    )


async def test_given_times_need_no_service(services: InProcessServices, app: Gateway) -> None:
    text = await explain_as_text(app, TRANSFERS)

    assert "critical path: 170 ms; in sequence: 280.5 ms\n" in text
    assert "times: as given\n" in text
    assert await services.fetch_calls("account") == []


async def test_given_times_override_measurement(app: Gateway) -> None:
    text = await explain_as_text(app, replace(TRANSFERS, latencies={"accounts.post": 0.09}, is_measured=True))

    assert "critical path: 220 ms; " in text
    assert "times: median of 5 runs on the services, without writes (see --with-writes);" in text
    assert "\nothers as given\n" in text


async def test_explain_with_writes_prints_no_hint_about_writes(app: Gateway) -> None:
    text = await explain_as_text(app, Options("transfers", is_measured=True, with_writes=True, runs=1))

    assert "critical path: 170 ms; in sequence: 290 ms\n" in text
    assert "times: median of one run on the services\n" in text


async def test_explain_without_times_suggests_options(app: Gateway) -> None:
    text = await explain_as_text(app, Options("checkout"))

    assert "slack" not in text
    assert "critical path" not in text
    assert "times: unknown; measure them with --measure, or set them with --latency and" in text


async def test_unknown_times_make_total_a_lower_bound(app: Gateway) -> None:
    text = await explain_as_text(app, Options("orders", {"shipping.quote": 0.04}))

    assert "critical path: at least 40 ms; in sequence: at least 40 ms\n" in text
    rows = [line.split() for line in text.splitlines()]
    assert [row[-2:] for row in rows if row[:1] == ["inventory.reserve"]] == [["?", "?"]]
    assert ["fulfilment:", "commit,", "parallel", "?"] in rows


async def test_explain_table_fits_80_columns(app: Gateway) -> None:
    """The table lists stages and undos, and fits 80 columns."""
    text = await explain_as_text(app, replace(TRANSFERS, latencies={"accounts.fetch": 0.05}))

    assert "\nsettlement: commit, in order" in text
    assert "\n    undo: accounts.reverse_posting" in text
    assert "\n  accounts.fetch " in text
    assert max(map(len, text.splitlines())) <= 80


async def test_slack_is_any_if_call_cannot_delay_pipeline(app: Gateway) -> None:
    text = await explain_as_text(app, Options("feed", {"social.posts": 0.6}, 0.04))

    (row,) = (line for line in text.splitlines() if line.startswith("  social.notifications"))
    assert row.split() == ["social.notifications", "read,", "optional", "40", "any"]


async def test_explain_marks_stage_after_commit(app: Gateway) -> None:
    text = await explain_as_text(app, Options("purchases", default=0.02))

    assert "\nannounce: settle, after the commit" in text
    assert "write, best effort" in text


async def test_explain_lists_statuses(app: Gateway) -> None:
    assert (await explain_as_text(app, FEED)).endswith(
        "\nstatuses: 200 400 404 408 413 422 429 500 502 503 504"
    )


async def test_explain_without_name_lists_pipelines(app: Gateway) -> None:
    text = await explain_as_text(app, Options())

    assert [line.split()[0] for line in text.splitlines()[2:]] == [
        "checkout", "orders", "feed", "transfers", "purchases",
    ]  # fmt: skip
    assert "GET /feed/{user_id}" in text
    assert "account data, checks, settlement" in text


async def test_json_list_equals_pipelines_endpoint(app: Gateway) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        listed = (await client.get("/pipelines")).json()

    assert await explain_as_json(app, Options()) == listed


async def test_json_has_times_of_every_call(app: Gateway) -> None:
    text = await explain_as_json(app, Options("feed", {"social.posts": 0.6, "users.fetch": 0.03}, 0.02))

    assert text["pipeline"] == pipeline_of(app, "feed").description
    assert (text["times"]["critical_path_ms"], text["times"]["sequential_ms"]) == (650, 730)
    assert text["times"]["critical_path"] == ["users.fetch", "social.posts", "social.engagement"]
    assert text["times"]["calls"][:5] == [
        {"name": "users.fetch", "ms": 30, "slack_ms": 0},
        {"name": "social.friends", "ms": 20, "slack_ms": 10},
        {"name": "users.settings", "ms": 20, "slack_ms": 10},
        {"name": "social.posts", "ms": 600, "slack_ms": 0},
        {"name": "social.notifications", "ms": 20, "slack_ms": None},
    ]


async def test_json_omits_unknown_times(app: Gateway) -> None:
    times = (await explain_as_json(app, Options("feed", {"users.fetch": 0.03})))["times"]

    assert times["calls"][:2] == [{"name": "users.fetch", "ms": 30}, {"name": "social.friends"}]
    assert times["unknown"][0] == "social.friends"


INNER: Final = PlannedStage(None, None, (PlannedCall("a.b"),))
BOTH: Final = PlannedCall("both", Kind.NOTHING, then=(INNER, PlannedCall("c.d")))
NESTED: Final = Plan("nested", "Look about.", (PlannedStage(None, None, (BOTH,)),))


@pytest.fixture
def nested(app: Gateway) -> Gateway:
    pipelines = [replace(pipeline_of(app, "feed"), plan=NESTED)]
    return Gateway(
        app.shared, app.readiness, title="nested", version="1.0", routes=(), pipelines=pipelines, routers=()
    )


async def test_explain_indents_nested_calls(nested: Gateway) -> None:
    rows = (await explain_as_text(nested, Options("nested", default=0.02))).splitlines()[6:11]

    assert [row[:16].rstrip() for row in rows] == [
        "(no stage)",
        "  both",
        "    (no stage)",
        "      a.b",
        "    c.d",
    ]
    assert rows[1].split() == ["both", "no", "request"]


async def test_explain_describes_list_stage(app: Gateway) -> None:
    stage = PlannedStage("places", SETTLE, (PlannedCall("geo.place"),), at_once=8)
    pipelines = [replace(pipeline_of(app, "feed"), plan=Plan("list", "Look about.", (stage,)))]
    gateway = Gateway(
        app.shared, app.readiness, title="list", version="1.0", routes=(), pipelines=pipelines, routers=()
    )

    lines = (await explain_as_text(gateway, Options("list", default=0.02), width=100)).splitlines()

    assert lines[5].startswith("places: settle, for each item, 8 at once ")
    assert "critical path: at least 20 ms; in sequence: at least 20 ms" in lines


async def test_json_lists_nested_calls(nested: Gateway) -> None:
    times = (await explain_as_json(nested, Options("nested", default=0.02)))["times"]

    assert [call["name"] for call in times["calls"]] == ["a.b", "c.d"]
    assert times["critical_path"] == ["a.b", "c.d"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options("transfer"), "unknown pipeline 'transfer'; did you mean transfers?"),
        (Options("x"), "unknown pipeline 'x'; expected one of checkout, orders, feed, transfers, purchases"),
        (
            Options("transfers", {"accounts.fech": 1}),
            "unknown call 'accounts.fech' of transfers; did you mean accounts.fetch?",
        ),
    ],
)
async def test_unknown_name_error_suggests_names(app: Gateway, options: Options, message: str) -> None:
    with pytest.raises(UnknownNameError) as error:
        await explain(Console(file=io.StringIO()), options, app)

    assert str(error.value) == message


def test_unknown_name_error_lists_similar_names() -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown word 'abcd'; did you mean abcd1 or abcd1x\?$"):
        require_known("abcd", ["abcd1x", "xyz", "abcd1"], "word 'abcd'")


def test_known_name_is_accepted() -> None:
    require_known("b", "abc", "letter 'b'")


@pytest.mark.parametrize(
    ("text", "parsed"), [("a.b=50", ("a.b", 0.05)), ("a=b=0.5", ("a=b", 0.0005)), ("a.b=0", ("a.b", 0.0))]
)
def test_latency_parses_call_and_time(text: str, parsed: tuple[str, float]) -> None:
    assert parse_latency(text) == parsed


@pytest.mark.parametrize("text", ["", "50", "=50", "a.b=", "a.b=x", "a.b=-1", "a.b=inf", "a.b=nan"])
def test_invalid_latency_option_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^invalid (latency|number of milliseconds) '.*': expected "):
        parse_latency(text)


def test_milliseconds_parse_to_seconds() -> None:
    assert parse_milliseconds("12.5") == 0.0125


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "x"])
def test_invalid_number_of_runs_is_refused(text: str) -> None:
    with pytest.raises(
        ArgumentTypeError, match=f"^invalid number of runs '{text}': expected a positive integer$"
    ):
        parse_runs(text)
