"""Dry runs."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import pytest
from pydantic import TypeAdapter

from gateway.client.models import UpstreamResponse, example
from gateway.plan.dry_run import DryRunError, dry_run
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
UNDO: Final = THINGS.undo("things.forget", ("wishes",))


def read(name: str) -> Call[Lamp, Failure]:
    declared: Declared = {404: NotFound, 409: Conflict}
    return THINGS.get(f"things.{name}", (name,), answer=LAMP, declared=declared)


def write(name: str) -> Write[Lamp, Failure]:
    return THINGS.write(f"things.{name}", ("wishes",), Wish(text="a"), answer=LAMP, undo=UNDO)


@railway
async def pipeline(run: Run[Failure], body: Body) -> object:
    """Do as *body* does.

    And nothing else.
    """
    return await body(run)


def plan(body: Body) -> Plan:
    return dry_run(pipeline, body).plan


def reads(*names: str) -> tuple[PlannedCall, ...]:
    return tuple(
        PlannedCall(f"things.{name}", refusals=(NotFound, Conflict), service="things") for name in names
    )


def undone(name: str) -> PlannedCall:
    return PlannedCall(f"things.{name}", Kind.WRITE, undo="things.forget", service="things")


def shaped(call: PlannedCall) -> PlannedCall:
    return replace(call, is_shaped=True)


def test_plan_has_the_name_and_summary_of_its_pipeline() -> None:
    found = plan(lambda run: run.stage("one", read("a")))

    assert (found.name, found.summary) == ("pipeline", "Do as *body* does.")


def test_pipeline_without_docstring_has_no_summary() -> None:
    @railway
    async def silent(run: Run[Failure]) -> None: ...

    assert dry_run(silent).plan == Plan("silent", "", ())


def test_dry_run_returns_the_value_of_the_pipeline() -> None:
    async def measure(run: Run[Failure]) -> int:
        (lamp,) = await run.stage("one", read("a"))
        return lamp.size

    assert dry_run(pipeline, measure).value == 3


def test_call_has_the_registered_name_of_its_service() -> None:
    lamps = service_client("lamp", "http://lamp.test", Raising(AssertionError("the network")))
    found = plan(lambda run: run.stage("one", lamps.get("lamps.fetch", ("a",), answer=LAMP)))

    assert [call.service for call in found.calls] == ["lamp"]


def test_stages_have_their_calls_in_argument_order() -> None:
    async def two(run: Run[Failure]) -> None:
        await run.stage("one", read("b"), read("a"))
        await run.stage("two", read("c"), policy=FAIL_FAST)

    assert plan(two).stages == (
        PlannedStage("one", SETTLE, reads("b", "a")),
        PlannedStage("two", FAIL_FAST, reads("c")),
    )


def test_later_call_gets_the_example_of_an_earlier_one() -> None:
    async def two(run: Run[Failure]) -> None:
        (lamp,) = await run.stage("one", read("a"))
        await run.stage("two", read(f"of-size-{lamp.size}"))

    assert plan(two).stages[1].calls == reads("of-size-3")


def test_call_with_a_check_is_shaped() -> None:
    ensured = read("a").ensure(bool, lambda _: Conflict("no"))
    found = plan(
        lambda run: run.stage("one", ensured, read("b"), read("c").optional(), constant("things.d", 1))
    )

    assert [call.is_shaped for call in found.stages[0].calls] == [True, False, False, False]


def test_optional_call_stays_optional_when_mapped() -> None:
    found = plan(lambda run: run.stage("one", read("a").map(str).optional(None).map(str), read("b")))

    assert [call.need for call in found.stages[0].calls] == [Need.OPTIONAL, Need.REQUIRED]


@pytest.mark.parametrize("order", CommitPolicy)
def test_commit_has_writes_with_their_undos_and_reads(order: CommitPolicy) -> None:
    steps = write("a").map(str), read("b").map(str), write("c")
    found = plan(lambda run: run.commit("do", *steps, policy=order))

    calls = undone("a"), shaped(*reads("b")), undone("c")
    assert found.stages == (PlannedStage("do", order, calls),)


def test_writes_after_a_commit_are_best_effort() -> None:
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

    assert found.stages[0].calls == (PlannedCall("things.a", Kind.NOTHING), *reads("b"))
    assert found.calls == reads("b")


def test_bound_call_follows_its_call() -> None:
    chain = read("a").bind(lambda lamp: read(f"of-size-{lamp.size}"))
    (call,) = plan(lambda run: run.stage("one", chain)).stages[0].calls

    assert (call.name, call.then) == ("things.a", reads("of-size-3"))


def test_chain_in_a_sequential_commit_ends_at_the_next_write() -> None:
    chain = read("b").bind(lambda _: read("c"))
    first, second, third = plan(lambda run: run.commit("do", write("a"), chain, write("d"))).stages[0].calls

    assert (first, second.then, third) == (undone("a"), reads("c"), undone("d"))


def test_parallel_calls_are_an_inner_stage() -> None:
    both = parallel(read("a"), read("b"), name="both").call
    (inner, last) = plan(lambda run: run.stage("one", both, read("c"))).stages[0].calls

    within = PlannedStage("both", SETTLE, reads("a", "b"))
    assert inner == shaped(PlannedCall("both", Kind.NOTHING, then=(within,)))
    assert last == reads("c")[0]


def test_call_bound_to_a_constant_is_planned() -> None:
    found = plan(lambda run: run.stage("one", constant("things.a", 1).bind(lambda _: read("b")), read("c")))

    assert found.stages[0].calls == (shaped(PlannedCall("things.a", Kind.NOTHING)), *reads("c", "b"))


def test_call_outside_a_stage_is_a_stage_of_its_own() -> None:
    async def between(run: Run[Failure]) -> None:
        await run.stage("one", read("a"))
        run.unwrap(await read("b"))

    assert plan(between).stages[1] == PlannedStage(None, None, reads("b"))


def test_pipeline_without_calls_has_no_stages() -> None:
    async def idle(_: Run[Failure]) -> None: ...

    assert plan(idle).stages == ()


def test_execution_id_of_a_dry_run_is_fixed() -> None:
    async def identified(run: Run[Failure]) -> None:
        await run.stage(run.execution_id, read("a"))

    assert plan(identified).stages[0].name == "exe-example"


async def test_dry_run_works_within_a_running_loop() -> None:
    found = plan(lambda run: run.stage("one", read("a")))

    assert found.calls == reads("a")
    assert asyncio.get_running_loop().is_running()


async def a_number() -> Result[int, Failure]:
    raise AssertionError


def test_call_without_info_has_no_example() -> None:
    with pytest.raises(DryRunError, match=r"^no example for my\.number: the call does not come"):
        plan(lambda run: run.stage("one", Call("my.number", a_number)))


def test_answer_without_example_is_named() -> None:
    plain = THINGS.get("things.plain", ("plain",), answer=TypeAdapter(int))

    with pytest.raises(DryRunError, match=r"^no example for things\.plain: integer has no example"):
        plan(lambda run: run.stage("one", plain))


def test_stub_of_the_context_precedes_the_examples() -> None:
    def numbers(call: CallSpan) -> Ok[int] | None:
        return Ok(7) if call.name == "my.number" else None

    seen = pipeline.on(RunContext(stub=numbers))
    found = dry_run(seen, lambda run: run.stage("one", Call("my.number", a_number), read("a"))).plan

    assert found.calls == (PlannedCall("my.number"), *reads("a"))


def test_dry_run_ignores_the_deadline_of_its_context() -> None:
    late = pipeline.on(RunContext(deadline=0.0))

    (stage,) = dry_run(late, lambda run: run.commit("write", write("a"))).plan.stages

    assert stage.calls == (undone("a"),)


def test_pipeline_that_fails_on_examples_is_an_error() -> None:
    async def fail(run: Run[Failure]) -> None:
        run.fail(Conflict("Account is frozen"))

    with pytest.raises(DryRunError, match="the dry run of pipeline failed: conflict, Account"):
        plan(fail)


def test_no_undo_is_sent_if_the_dry_run_of_a_commit_fails() -> None:
    refused = read("b").ensure(lambda _: False, lambda _: Conflict("no"))

    with pytest.raises(DryRunError, match="conflict, no"):
        plan(lambda run: run.commit("do", write("a"), refused))
