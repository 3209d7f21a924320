"""Dry run of a pipeline on example data."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import pytest
from pydantic import TypeAdapter

from gateway.client.models import UpstreamResponse, example
from gateway.plan.dry_run import DryRun, DryRunError, dry_run, skip_dry_run
from gateway.plan.plan import Kind, Need, Plan, PlannedCall, PlannedStage
from gateway.railway import (
    FAIL_FAST,
    SETTLE,
    Call,
    CallSpan,
    CommitPolicy,
    Conflict,
    Failure,
    NotFound,
    Ok,
    Result,
    Run,
    RunContext,
    Write,
    constant,
    parallel,
    railway,
)
from tests.client.scripted_service import Declared, Raising, Wish, client
from tests.service_clients import service_client

Body = Callable[[Run[Failure]], Awaitable[object]]


class Lamp(UpstreamResponse):
    model_config = example(size=3)

    size: int


THINGS: Final = client(Raising(AssertionError("the network")))
LAMP: Final = TypeAdapter(Lamp)
UNDO: Final = THINGS.undo.delete("things.forget", "/wishes/{key}")


def read(name: str) -> Call[Lamp, Failure]:
    declared: Declared = {404: NotFound, 409: Conflict}
    return THINGS.get(f"things.{name}", f"/{name}", answer=LAMP, declared=declared)()


def write(name: str) -> Write[Lamp, Failure]:
    operation = THINGS.write.post(f"things.{name}", "/wishes", answer=LAMP, undo=UNDO)
    return operation(Wish(text="a"))


@railway
async def pipeline(run: Run[Failure], body: Body) -> object:
    """Run *body*.

    And nothing else.
    """
    return await body(run)


def plan(body: Body) -> Plan:
    return dry_run(pipeline, body).plan


def plan_reads(*names: str) -> tuple[PlannedCall, ...]:
    return tuple(
        PlannedCall(f"things.{name}", refusals=(NotFound, Conflict), service="things") for name in names
    )


def plan_write(name: str) -> PlannedCall:
    return PlannedCall(f"things.{name}", Kind.WRITE, undo="things.forget", service="things")


def mark_shaped(call: PlannedCall) -> PlannedCall:
    return replace(call, is_shaped=True)


def test_plan_has_pipeline_name_and_summary() -> None:
    found = plan(lambda run: run.stage("one", read("a")))

    assert (found.name, found.summary) == ("pipeline", "Run *body*.")


def test_undocumented_pipeline_has_no_summary() -> None:
    @railway
    async def undocumented(run: Run[Failure]) -> None: ...

    assert dry_run(undocumented).plan == Plan("undocumented", "", ())


def test_dry_run_returns_pipeline_value() -> None:
    async def measure(run: Run[Failure]) -> int:
        (lamp,) = await run.stage("one", read("a"))
        return lamp.size

    assert dry_run(pipeline, measure).value == 3


def test_planned_call_has_registered_service_name() -> None:
    lamps = service_client("lamp", "http://lamp.test", Raising(AssertionError("the network")))
    found = plan(lambda run: run.stage("one", lamps.get("lamps.fetch", "/a", answer=LAMP)()))

    assert [call.service for call in found.calls] == ["lamp"]


def test_stage_lists_calls_in_argument_order() -> None:
    async def run_stages(run: Run[Failure]) -> None:
        await run.stage("one", read("b"), read("a"))
        await run.stage("two", read("c"), policy=FAIL_FAST)

    assert plan(run_stages).stages == (
        PlannedStage("one", SETTLE, plan_reads("b", "a")),
        PlannedStage("two", FAIL_FAST, plan_reads("c")),
    )


def test_example_answers_feed_later_calls() -> None:
    async def run_stages(run: Run[Failure]) -> None:
        (lamp,) = await run.stage("one", read("a"))
        await run.stage("two", read(f"of-size-{lamp.size}"))

    assert plan(run_stages).stages[1].calls == plan_reads("of-size-3")


def test_call_with_ensure_is_planned_as_shaped() -> None:
    ensured = read("a").ensure(bool, lambda _: Conflict("no"))
    found = plan(
        lambda run: run.stage("one", ensured, read("b"), read("c").optional(), constant("things.d", 1))
    )

    assert [call.is_shaped for call in found.stages[0].calls] == [True, False, False, False]


def test_mapped_optional_call_stays_optional() -> None:
    found = plan(lambda run: run.stage("one", read("a").map(str).optional(None).map(str), read("b")))

    assert [call.need for call in found.stages[0].calls] == [Need.OPTIONAL, Need.REQUIRED]


@pytest.mark.parametrize("policy", CommitPolicy)
def test_commit_lists_writes_undos_and_reads(policy: CommitPolicy) -> None:
    steps = write("a").map(str), read("b").map(str), write("c")
    found = plan(lambda run: run.commit("do", *steps, policy=policy))

    calls = plan_write("a"), mark_shaped(*plan_reads("b")), plan_write("c")
    assert found.stages == (PlannedStage("do", policy, calls),)


def test_write_after_commit_is_best_effort() -> None:
    async def commit(run: Run[Failure]) -> None:
        await run.stage("before", read("a"))
        await run.commit("do", write("b"))
        await run.stage("after", write("c").best_effort(None), read("d").optional())

    before, _, after = plan(commit).stages
    assert (before.is_after_commit, after.is_after_commit) == (False, True)
    assert [(call.kind, call.need) for call in after.calls] == [
        (Kind.WRITE, Need.BEST_EFFORT),
        (Kind.READ, Need.OPTIONAL),
    ]


def test_constant_sends_no_request() -> None:
    found = plan(lambda run: run.stage("one", constant("things.a", 1), read("b")))

    assert found.stages[0].calls == (PlannedCall("things.a", Kind.NOTHING), *plan_reads("b"))
    assert found.calls == plan_reads("b")


def test_bound_call_is_planned_after_first_call() -> None:
    chain = read("a").bind(lambda lamp: read(f"of-size-{lamp.size}"))
    (call,) = plan(lambda run: run.stage("one", chain)).stages[0].calls

    assert (call.name, call.then) == ("things.a", plan_reads("of-size-3"))


def test_next_write_ends_chain_of_bound_calls() -> None:
    """In a sequential commit, the calls bound to a step end at the next write."""
    chain = read("b").bind(lambda _: read("c"))
    first, second, third = plan(lambda run: run.commit("do", write("a"), chain, write("d"))).stages[0].calls

    assert (first, second.then, third) == (plan_write("a"), plan_reads("c"), plan_write("d"))


def test_parallel_calls_form_inner_stage() -> None:
    both = parallel(read("a"), read("b"), name="both").call
    (inner, last) = plan(lambda run: run.stage("one", both, read("c"))).stages[0].calls

    within = PlannedStage("both", SETTLE, plan_reads("a", "b"))
    assert inner == mark_shaped(PlannedCall("both", Kind.NOTHING, then=(within,)))
    assert last == plan_reads("c")[0]


def test_call_bound_to_constant_is_planned() -> None:
    found = plan(lambda run: run.stage("one", constant("things.a", 1).bind(lambda _: read("b")), read("c")))

    assert found.stages[0].calls == (
        mark_shaped(PlannedCall("things.a", Kind.NOTHING)),
        *plan_reads("c", "b"),
    )


def test_each_is_planned_as_calls_of_one_item() -> None:
    found = plan(lambda run: run.each("all", [read("a")] * 3, at_once=2, policy=FAIL_FAST))

    assert found.stages == (PlannedStage("all", FAIL_FAST, plan_reads("a"), at_once=2),)
    assert found.has_list


def test_different_calls_of_each_are_planned_once() -> None:
    chain = read("a").bind(lambda _: read("b"))
    calls = chain, read("c"), chain, read("c"), read("a").optional()
    first, second, third = plan(lambda run: run.each("all", calls)).stages[0].calls

    assert (first.name, first.then) == ("things.a", plan_reads("b"))
    assert second == plan_reads("c")[0]
    assert (third.name, third.need) == ("things.a", Need.OPTIONAL)


def test_each_without_items_is_planned_without_calls() -> None:
    none: list[Call[Lamp, Failure]] = []
    found = plan(lambda run: run.each("all", none))

    assert found.stages == (PlannedStage("all", SETTLE, (), at_once=10),)


def test_plan_finds_list_in_nested_stage() -> None:
    @railway
    async def inner(run: Run[Failure]) -> list[Lamp]:
        return await run.each("all", [read("b")])

    chain = read("a").bind(lambda _: inner())

    assert plan(lambda run: run.stage("one", chain)).has_list
    assert not plan(lambda run: run.stage("one", read("a").bind(lambda _: read("b")))).has_list


def test_call_outside_stage_gets_own_stage() -> None:
    async def call_between_stages(run: Run[Failure]) -> None:
        await run.stage("one", read("a"))
        run.unwrap(await read("b"))

    assert plan(call_between_stages).stages[1] == PlannedStage(None, None, plan_reads("b"))


def test_pipeline_without_calls_has_no_stages() -> None:
    async def do_nothing(_: Run[Failure]) -> None: ...

    assert plan(do_nothing).stages == ()


def test_dry_run_has_fixed_execution_id() -> None:
    async def use_execution_id(run: Run[Failure]) -> None:
        await run.stage(run.execution_id, read("a"))

    assert plan(use_execution_id).stages[0].name == "exe-example"


async def test_dry_run_works_in_running_loop() -> None:
    found = plan(lambda run: run.stage("one", read("a")))

    assert found.calls == plan_reads("a")
    assert asyncio.get_running_loop().is_running()


async def fail_if_sent() -> Result[int, Failure]:
    raise AssertionError


def test_call_without_info_ends_dry_run() -> None:
    found = dry_run(pipeline, lambda run: run.stage("one", read("a"), Call("my.number", fail_if_sent)))

    assert found.obstacle == "no example for my.number: the call does not come from a ServiceClient"
    assert (found.value, found.plan.calls) == (None, (*plan_reads("a"), PlannedCall("my.number")))


def test_missing_example_ends_dry_run() -> None:
    plain = THINGS.get("things.plain", "/plain", answer=int)()

    async def run_stages(run: Run[Failure]) -> None:
        await run.stage("one", read("a"))
        await run.stage("two", plain)
        await run.stage("three", read("b"))

    found = dry_run(pipeline, run_stages)

    assert found.obstacle == "no example for things.plain: integer has no example"
    assert [stage.name for stage in found.plan.stages] == ["one", "two"]


def test_context_stub_precedes_examples() -> None:
    def answer_number(call: CallSpan) -> Ok[int] | None:
        return Ok(7) if call.name == "my.number" else None

    stubbed = pipeline.on(RunContext(stub=answer_number))
    found = dry_run(stubbed, lambda run: run.stage("one", Call("my.number", fail_if_sent), read("a"))).plan

    assert found.calls == (PlannedCall("my.number"), *plan_reads("a"))


def test_dry_run_ignores_context_deadline() -> None:
    expired = pipeline.on(RunContext(deadline=0.0))

    (stage,) = dry_run(expired, lambda run: run.commit("write", write("a"))).plan.stages

    assert stage.calls == (plan_write("a"),)


def test_failing_pipeline_has_partial_plan() -> None:
    async def fail(run: Run[Failure]) -> None:
        await run.stage("one", read("a"))
        run.fail(Conflict("Account is frozen", source="things.a"))

    found = dry_run(pipeline, fail)

    assert found.obstacle == "it fails with conflict: things.a: Account is frozen"
    assert found.plan.calls == plan_reads("a")


def test_every_fault_of_an_aggregate_is_an_obstacle() -> None:
    refused = read("b").ensure(lambda _: False, lambda _: Conflict("no"))
    missing = read("a").ensure(lambda _: False, lambda _: NotFound())

    found = dry_run(pipeline, lambda run: run.stage("one", missing, refused))

    assert found.obstacle == "it fails with not-found; conflict: no"


def test_failed_dry_run_of_commit_sends_no_undo() -> None:
    refused = read("b").ensure(lambda _: False, lambda _: Conflict("no"))

    assert dry_run(pipeline, lambda run: run.commit("do", write("a"), refused)).obstacle is not None


def test_exception_due_to_examples_is_an_obstacle() -> None:
    async def divide(run: Run[Failure]) -> float:
        (lamp,) = await run.stage("one", read("a"))
        return 1 / (lamp.size - 3)

    obstacle = f"{dry_run(pipeline, divide).obstacle}"

    assert obstacle.startswith("it raises ZeroDivisionError: ")
    assert re.search(r" \(/.*test_dry_run\.py:\d+, in divide\)$", obstacle)


def test_exception_outside_user_code_has_no_place() -> None:
    async def parse(_: Run[Failure]) -> None:
        raise ValueError

    parse.__code__ = parse.__code__.replace(co_filename="<string>")

    assert dry_run(railway(parse)).obstacle == "it raises ValueError: "


def read_wrongly() -> Call[Lamp, Failure]:
    return read()  # type: ignore[call-arg]


async def misuse_run(run: Run[Failure]) -> None:
    await run.stage("one", write("a"))  # type: ignore[misc]


async def commit_without_undo(run: Run[Failure]) -> None:
    wish = THINGS.write.post("things.a", "/a", answer=LAMP, undo=None)
    await run.commit("do", wish(Wish(text="a")))


async def call_with_wrong_signature(run: Run[Failure]) -> None:
    await run.stage("one", read_wrongly())


async def call_in_task_group(_: Run[Failure]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))
        await read_wrongly()


async def use_missing_attribute(_: Run[Failure]) -> None:
    THINGS.nothing()  # type: ignore[attr-defined]


async def use_missing_name(_: Run[Failure]) -> None:
    nothing()  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("body", "reason", "place"),
    [
        (misuse_run, "things.a in stage 'one' is a write: make it in a commit", "misuse_run"),
        (commit_without_undo, "things.a in commit 'do' has no undo", "commit_without_undo"),
        (call_with_wrong_signature, r"TypeError: read\(\) missing 1 required positional", "read_wrongly"),
        (call_in_task_group, r"TypeError: read\(\) missing 1 required positional", "read_wrongly"),
        (use_missing_attribute, "AttributeError: 'ServiceClient' object has no", "use_missing_attribute"),
        (use_missing_name, "NameError: name 'nothing' is not defined", "use_missing_name"),
    ],
)
def test_broken_rule_is_refused_with_its_place(body: Body, reason: str, place: str) -> None:
    with pytest.raises(DryRunError, match=rf"^pipeline breaks a rule: {reason}") as refused:
        dry_run(pipeline, body)

    message, location, code = str(refused.value).splitlines()
    assert message
    assert re.fullmatch(rf'  File ".*test_dry_run\.py", line \d+, in {place}', location)
    assert code.startswith("    ")


def test_skipped_dry_run_has_no_stages() -> None:
    found = skip_dry_run(pipeline, "no example")

    assert found == DryRun(Plan("pipeline", "Run *body*.", ()), None, "no example")
