"""Stub that answers in place of services, and the spans of stubbed calls."""

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
from tests.railway.scripted_calls import Services, three_calls

MISSING: Final = Err(NotFound("missing"))


async def fail_if_called(_: object) -> Result[int, Failure]:
    raise AssertionError


UNDO: Final = Undo("shop.cancel", fail_if_called)
WRITE: Final = Write("shop.order", fail_if_called, undo=UNDO)


def build_stub(**answers: Result[object, Failure]) -> Stub:
    """Build a stub with *answers* by call name; the keyword `a_b` stands for the call `a.b`."""
    return lambda call: answers.get(call.name.replace(".", "_"))


@dataclass
class SpanObserver(Observer):
    """Observer that records the spans in the order of their start."""

    stages: list[StageSpan] = field(default_factory=list[StageSpan])
    calls: list[CallSpan] = field(default_factory=list[CallSpan])

    @override
    def stage_started(self, stage: StageSpan, /) -> None:
        self.stages.append(stage)

    @override
    def stage_ended(self, stage: StageSpan, outcome: CallOutcome, /) -> None:
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
    (announced,) = await run.stage("announce", WRITE.best_effort(0))
    return placed, seen, announced


async def test_stub_replaces_only_calls_with_an_answer(services: Services) -> None:
    context = RunContext(stub=build_stub(a=Ok(10), c=Ok(30)))
    result = await three_calls.on(context)(services.call("a"), services.call("b", Ok(2)), services.call("c"))

    assert result == Ok((10, 2, 30))
    assert services.log == ["b started", "b ended"]


async def test_stub_can_answer_with_failure(services: Services) -> None:
    context = RunContext(stub=build_stub(b=MISSING))

    assert (
        await three_calls.on(context)(services.call("a"), services.call("b"), services.call("c")) == MISSING
    )


async def test_derived_call_uses_answer_of_stub(services: Services) -> None:
    @railway
    async def single(run: Run[Failure]) -> int:
        return run.unwrap(await services.call("a").map(lambda value: value * 2))

    assert await single.on(RunContext(stub=build_stub(a=Ok(4))))() == Ok(8)


async def test_stub_answers_for_derived_writes(services: Services) -> None:
    context = RunContext(stub=build_stub(shop_order=Ok(7)))

    assert await order.on(context)(services.call("stock", Ok(3))) == Ok((-7, 3, 7))


async def test_stub_answers_for_undos(services: Services) -> None:
    context = RunContext(stub=build_stub(shop_order=Ok(7), shop_cancel=Ok(None)))

    assert await order.on(context)(services.call("stock", MISSING)) == MISSING


async def test_bug_in_stub_propagates(services: Services) -> None:
    def raise_error(_: CallSpan) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await three_calls.on(RunContext(stub=raise_error))(*(services.call(name) for name in "abc"))


async def test_observer_sees_stubbed_calls(services: Services) -> None:
    observer = SpanObserver()
    context = RunContext(observer=observer, stub=build_stub(shop_order=Ok(7)))
    await order.on(context)(services.call("stock"))

    assert [call.name for call in observer.calls] == ["shop.order", "stock", "shop.order"]


async def test_spans_of_derived_calls_describe_original_calls(services: Services) -> None:
    observer, read = SpanObserver(), services.call("stock", MISSING)
    context = RunContext(observer=observer, stub=build_stub(shop_order=Ok(7), shop_cancel=Ok(None)))
    await order.on(context)(read.map(str).map(int))

    assert [(call.name, call.kind, call.undo) for call in observer.calls] == [
        ("shop.order", CallKind.WRITE, "shop.cancel"),
        ("stock", CallKind.READ, None),
        ("shop.cancel", CallKind.UNDO, None),
    ]


async def test_stage_span_has_calls_and_policy(services: Services) -> None:
    observer = SpanObserver()
    a, b, c = (services.call(name) for name in "abc")
    await three_calls.on(RunContext(observer=observer))(a, b, c, policy=FAIL_FAST)
    await order.on(RunContext(observer=observer, stub=build_stub(shop_order=Ok(7))))(a)

    assert observer.stages[0].calls == (StageCall("a"), StageCall("b"), StageCall("c"))
    assert [stage.policy for stage in observer.stages] == [FAIL_FAST, SEQUENTIAL, SETTLE]


async def test_stage_span_of_parallel_has_policy(services: Services) -> None:
    observer = SpanObserver()

    @railway
    async def both(run: Run[Failure]) -> tuple[int, int]:
        return run.unwrap(await parallel(services.call("a"), services.call("b")))

    await both.on(RunContext(observer=observer))()

    assert [(stage.name, stage.policy) for stage in observer.stages] == [("a & b", SETTLE)]
