"""What a run on examples shows of a pipeline."""

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
    return dry_run(pipeline, body)


def reads(*names: str) -> tuple[PlannedCall, ...]:
    return tuple(PlannedCall(f"things.{name}", refusals=(NotFound, Conflict)) for name in names)


def undone(name: str) -> PlannedCall:
    return PlannedCall(f"things.{name}", Kind.WRITE, undo="things.forget")


def shaped(call: PlannedCall) -> PlannedCall:
    return replace(call, is_shaped=True)


def test_a_plan_has_the_name_of_the_pipeline_and_the_first_line_of_its_docstring() -> None:
    found = plan(lambda run: run.stage("one", read("a")))

    assert (found.name, found.summary) == ("pipeline", "Do as *body* does.")


def test_who_has_no_docstring_has_no_summary() -> None:
    @railway
    async def silent(run: Run[Failure]) -> None: ...

    assert dry_run(silent) == Plan("silent", "", ())


def test_stages_stand_in_order_with_their_calls_in_argument_order_and_their_policies() -> None:
    async def two(run: Run[Failure]) -> None:
        await run.stage("one", read("b"), read("a"))
        await run.stage("two", read("c"), policy=FAIL_FAST)

    assert plan(two).stages == (
        PlannedStage("one", SETTLE, reads("b", "a")),
        PlannedStage("two", FAIL_FAST, reads("c")),
    )


def test_what_a_later_call_needs_is_the_example_of_an_earlier_one() -> None:
    async def two(run: Run[Failure]) -> None:
        (lamp,) = await run.stage("one", read("a"))
        await run.stage("two", read(f"of-size-{lamp.size}"))

    assert plan(two).stages[1].calls == reads("of-size-3")


def test_a_call_of_which_the_pipeline_makes_something_that_may_fail_is_shaped() -> None:
    ensured = read("a").ensure(bool, lambda _: Conflict("no"))
    found = plan(
        lambda run: run.stage("one", ensured, read("b"), read("c").optional(), constant("things.d", 1))
    )

    assert [call.is_shaped for call in found.stages[0].calls] == [True, False, False, False]


def test_a_call_that_the_answer_can_do_without_is_optional_whatever_is_made_of_it() -> None:
    found = plan(lambda run: run.stage("one", read("a").map(str).optional(None).map(str), read("b")))

    assert [call.need for call in found.stages[0].calls] == [Need.OPTIONAL, Need.REQUIRED]


@pytest.mark.parametrize("order", CommitPolicy)
def test_a_commit_has_writes_with_their_undos_and_what_rides_along(order: CommitPolicy) -> None:
    steps = write("a").map(str), read("b").map(str), write("c")
    found = plan(lambda run: run.commit("do", *steps, policy=order))

    calls = undone("a"), shaped(*reads("b")), undone("c")
    assert found.stages == (PlannedStage("do", order, calls),)


def test_after_a_commit_writes_are_best_effort_and_reads_optional() -> None:
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


def test_what_is_known_asks_nobody() -> None:
    found = plan(lambda run: run.stage("one", constant("things.a", 1), read("b")))

    assert found.stages[0].calls == (PlannedCall("things.a", Kind.NOTHING), *reads("b"))
    assert found.calls == reads("b")


def test_a_call_is_planned_with_what_it_goes_on_with() -> None:
    chain = read("a").bind(lambda lamp: read(f"of-size-{lamp.size}"))
    (call,) = plan(lambda run: run.stage("one", chain)).stages[0].calls

    assert (call.name, call.then) == ("things.a", reads("of-size-3"))


def test_a_chain_in_a_commit_in_order_ends_where_the_next_write_begins() -> None:
    chain = read("b").bind(lambda _: read("c"))
    first, second, third = plan(lambda run: run.commit("do", write("a"), chain, write("d"))).stages[0].calls

    assert (first, second.then, third) == (undone("a"), reads("c"), undone("d"))


def test_calls_in_parallel_are_a_stage_of_their_own() -> None:
    both = parallel(read("a"), read("b"), name="both").call
    (inner, last) = plan(lambda run: run.stage("one", both, read("c"))).stages[0].calls

    within = PlannedStage("both", SETTLE, reads("a", "b"))
    assert inner == shaped(PlannedCall("both", Kind.NOTHING, then=(within,)))
    assert last == reads("c")[0]


def test_a_call_of_another_name_than_its_argument_is_not_lost() -> None:
    found = plan(lambda run: run.stage("one", constant("things.a", 1).bind(lambda _: read("b")), read("c")))

    assert found.stages[0].calls == (shaped(PlannedCall("things.a", Kind.NOTHING)), *reads("c", "b"))


def test_a_call_outside_any_stage_stands_alone() -> None:
    async def between(run: Run[Failure]) -> None:
        await run.stage("one", read("a"))
        run.unwrap(await read("b"))

    assert plan(between).stages[1] == PlannedStage(None, None, reads("b"))


def test_a_pipeline_without_calls_has_no_stages() -> None:
    async def idle(_: Run[Failure]) -> None: ...

    assert plan(idle).stages == ()


def test_an_execution_has_the_same_id_each_time() -> None:
    async def identified(run: Run[Failure]) -> None:
        await run.stage(run.execution_id, read("a"))

    assert plan(identified).stages[0].name == "exe-example"


async def test_it_can_be_made_while_a_loop_runs() -> None:
    found = plan(lambda run: run.stage("one", read("a")))

    assert found.calls == reads("a")
    assert asyncio.get_running_loop().is_running()


async def a_number() -> Result[int, Failure]:
    raise AssertionError


def test_a_call_of_which_nothing_is_known_has_no_example() -> None:
    with pytest.raises(DryRunError, match=r"^my\.number cannot be rehearsed: it has no info"):
        plan(lambda run: run.stage("one", Call("my.number", a_number)))


def test_an_answer_without_an_example_is_named() -> None:
    plain = THINGS.get("things.plain", ("plain",), answer=TypeAdapter(int))

    with pytest.raises(DryRunError, match=r"^things\.plain cannot be rehearsed: integer has no example"):
        plan(lambda run: run.stage("one", plain))


def test_what_stands_in_for_services_anyway_is_asked_first() -> None:
    def numbers(call: CallSpan) -> Ok[int] | None:
        return Ok(7) if call.name == "my.number" else None

    seen = pipeline.on(RunContext(stub=numbers))
    found = dry_run(seen, lambda run: run.stage("one", Call("my.number", a_number), read("a")))

    assert found.calls == (PlannedCall("my.number"), *reads("a"))


def test_a_deadline_of_its_surroundings_is_none_of_a_rehearsal() -> None:
    late = pipeline.on(RunContext(deadline=0.0))

    (stage,) = dry_run(late, lambda run: run.commit("write", write("a"))).stages

    assert stage.calls == (undone("a"),)


def test_a_pipeline_that_fails_on_examples_says_how() -> None:
    async def fail(run: Run[Failure]) -> None:
        run.fail(Conflict("Account is frozen"))

    with pytest.raises(DryRunError, match="pipeline does not get through its rehearsal: conflict, Account"):
        plan(fail)


def test_no_undo_is_sent_if_the_rehearsal_of_a_commit_fails() -> None:
    refused = read("b").ensure(lambda _: False, lambda _: Conflict("no"))

    with pytest.raises(DryRunError, match="conflict, no"):
        plan(lambda run: run.commit("do", write("a"), refused))
