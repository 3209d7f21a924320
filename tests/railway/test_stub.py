"""Who answers in the place of services, and what is heard of it."""

from dataclasses import dataclass, field
from typing import Final

import pytest
from typing_extensions import override

from gateway.railway import (
    FAIL_FAST,
    SEQUENTIAL,
    SETTLE,
    Call,
    CallKind,
    CallOutcome,
    CallSpan,
    Err,
    Failure,
    Key,
    NotFound,
    Observer,
    Ok,
    Result,
    Run,
    RunContext,
    StageCall,
    StageSpan,
    Stub,
    Undo,
    Write,
    parallel,
    railway,
)
from tests.railway.scripted_calls import World, trio

GONE: Final = Err(NotFound("gone"))


async def never(_: Key) -> Result[int, Failure]:
    raise AssertionError


UNDO: Final = Undo("shop.cancel", never)
WRITE: Final = Write("shop.order", never, undo=UNDO)


def knowing(**values: Result[object, Failure]) -> Stub:
    """Answer for the calls that are named, with `_` for the dot."""
    return lambda call: values.get(call.name.replace(".", "_"))


@dataclass
class Ear(Observer):
    """Keeps what starts."""

    stages: list[StageSpan] = field(default_factory=list[StageSpan])
    calls: list[CallSpan] = field(default_factory=list[CallSpan])

    @override
    def stage_started(self, stage: StageSpan, /) -> None:
        self.stages.append(stage)

    @override
    def stage_ended(self, stage: StageSpan, /) -> None:
        assert stage in self.stages

    @override
    def call_started(self, call: CallSpan, /) -> None:
        self.calls.append(call)

    @override
    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        assert call in self.calls


@railway
async def order(run: Run[Failure], read: Call[int, Failure]) -> tuple[int, ...]:
    placed, seen = await run.commit("order", WRITE.map(lambda number: -number), read)
    (told,) = await run.stage("announce", WRITE.best_effort(0))
    return placed, seen, told


async def test_it_answers_in_the_place_of_the_services_it_knows(world: World) -> None:
    around = RunContext(stub=knowing(a=Ok(10), c=Ok(30)))
    result = await trio.on(around)(world.call("a"), world.call("b", Ok(2)), world.call("c"))

    assert result == Ok((10, 2, 30))
    assert world.log == ["b started", "b ended"]


async def test_it_may_answer_with_a_failure(world: World) -> None:
    around = RunContext(stub=knowing(b=GONE))

    assert await trio.on(around)(world.call("a"), world.call("b"), world.call("c")) == GONE


async def test_what_is_made_of_a_call_is_made_of_its_answer(world: World) -> None:
    @railway
    async def single(run: Run[Failure]) -> int:
        return run.unwrap(await world.call("a").map(lambda value: value * 2))

    assert await single.on(RunContext(stub=knowing(a=Ok(4))))() == Ok(8)


async def test_it_answers_for_writes_whatever_is_made_of_them(world: World) -> None:
    around = RunContext(stub=knowing(shop_order=Ok(7)))

    assert await order.on(around)(world.call("stock", Ok(3))) == Ok((-7, 3, 7))


async def test_it_answers_for_undos(world: World) -> None:
    around = RunContext(stub=knowing(shop_order=Ok(7), shop_cancel=Ok(None)))

    assert await order.on(around)(world.call("stock", GONE)) == GONE


async def test_its_bug_is_a_bug_of_the_call(world: World) -> None:
    def broken(_: CallSpan) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await trio.on(RunContext(stub=broken))(*(world.call(name) for name in "abc"))


async def test_an_observer_hears_of_it_what_it_hears_of_a_service(world: World) -> None:
    ear = Ear()
    around = RunContext(observer=ear, stub=knowing(shop_order=Ok(7)))
    await order.on(around)(world.call("stock"))

    assert [call.name for call in ear.calls] == ["shop.order", "stock", "shop.order"]


async def test_a_span_has_what_is_called_without_what_was_made_of_it(world: World) -> None:
    ear, read = Ear(), world.call("stock", GONE)
    around = RunContext(observer=ear, stub=knowing(shop_order=Ok(7), shop_cancel=Ok(None)))
    await order.on(around)(read.map(str).map(int))

    assert [(call.name, call.kind, call.undo) for call in ear.calls] == [
        ("shop.order", CallKind.WRITE, "shop.cancel"),
        ("stock", CallKind.READ, None),
        ("shop.cancel", CallKind.UNDO, None),
    ]


async def test_a_stage_has_its_calls_as_they_are_made_and_says_how(world: World) -> None:
    ear = Ear()
    a, b, c = (world.call(name) for name in "abc")
    await trio.on(RunContext(observer=ear))(a, b, c, policy=FAIL_FAST)
    await order.on(RunContext(observer=ear, stub=knowing(shop_order=Ok(7))))(a)

    assert ear.stages[0].calls == (StageCall("a"), StageCall("b"), StageCall("c"))
    assert [stage.policy for stage in ear.stages] == [FAIL_FAST, SEQUENTIAL, SETTLE]


async def test_calls_in_parallel_say_how_too(world: World) -> None:
    ear = Ear()

    @railway
    async def both(run: Run[Failure]) -> tuple[int, int]:
        return run.unwrap(await parallel(world.call("a"), world.call("b")))

    await both.on(RunContext(observer=ear))()

    assert [(stage.name, stage.policy) for stage in ear.stages] == [("a & b", SETTLE)]
