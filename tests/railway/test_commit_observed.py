"""Spans that the observer of a commit receives."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from typing_extensions import override

from gateway.railway import CONCURRENT, CallSpan, Failure, Ok, Result, Run, StageSpan, railway
from tests.railway.recording_observer import RecordingObserver
from tests.railway.scripted_calls import FINE, TAKEN
from tests.railway.scripted_writes import LATE, Bank, Reply, payment


@pytest.fixture
def observer() -> RecordingObserver:
    return RecordingObserver()


def run_observed(
    bank: Bank, observer: RecordingObserver, body: Callable[[Run[Failure]], Awaitable[object]]
) -> Awaitable[Result[object, Failure]]:
    return railway(body).on(replace(bank.build_context(), observer=observer))()


async def test_observer_sees_each_attempt_and_undo(bank: Bank, observer: RecordingObserver) -> None:
    steps = bank.write("a", LATE, FINE), bank.write("b", TAKEN)

    await run_observed(bank, observer, lambda run: run.commit("settlement", *steps))

    assert observer.events == (
        ["+settlement", "+a", "-a", "+a", "-a", "+b", "-b", "+a.undo", "-a.undo", "-settlement"]
    )
    assert observer.outcomes == {"a": FINE, "b": TAKEN, "a.undo": FINE}


async def test_observer_sees_reads_of_commit(bank: Bank, observer: RecordingObserver) -> None:
    steps = bank.call("a", after=2), bank.write("b", Reply(after=1)).map(str)

    await run_observed(bank, observer, lambda run: run.commit("settlement", *steps, policy=CONCURRENT))

    assert observer.events == ["+settlement", "+a", "+b", "-b", "-a", "-settlement"]


async def test_call_spans_of_commit_refer_to_commit_span(bank: Bank, observer: RecordingObserver) -> None:
    steps = bank.write("a"), bank.call("b"), bank.write("c", TAKEN)

    await run_observed(bank, observer, lambda run: run.commit("settlement", *steps))

    assert observer.stages[0] is observer.stages[1]
    assert [(call.name, call.is_write) for call in observer.stages[0].calls] == [
        ("a", True),
        ("b", False),
        ("c", True),
    ]
    assert {call.stage for call in observer.calls} == {observer.stages[0]}


async def test_steps_after_refused_write_are_not_observed(bank: Bank, observer: RecordingObserver) -> None:
    await run_observed(
        bank, observer, lambda run: run.commit("settlement", bank.write("a", TAKEN), bank.write("b"))
    )

    assert observer.events == ["+settlement", "+a", "-a", "-settlement"]


async def test_observer_sees_bug_of_write_as_outcome(bank: Bank, observer: RecordingObserver) -> None:
    bug = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await run_observed(bank, observer, lambda run: run.commit("settlement", bank.write("a", bug)))
    assert observer.outcomes == {"a": bug, "a.undo": FINE}


async def test_observer_sees_best_effort_write(bank: Bank, observer: RecordingObserver) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.commit("settlement", bank.write("a"))
        await run.stage("after", bank.write("mail", TAKEN).best_effort())

    await run_observed(bank, observer, body)

    assert observer.events[-4:] == ["+after", "+mail", "-mail", "-after"]
    assert observer.outcomes["mail"] == TAKEN


async def test_observer_does_not_change_commit_result(bank: Bank, observer: RecordingObserver) -> None:
    context = replace(bank.build_context(), observer=observer)

    assert await payment.on(context)(bank.write("a", LATE, FINE), bank.call("b", Ok(2))) == Ok((1, 2))


class FailingAtStart(RecordingObserver):
    """Observer that raises when a stage or a commit starts."""

    @override
    def stage_started(self, stage: StageSpan, /) -> None:
        raise ZeroDivisionError


class FailingAtCallEnd(RecordingObserver):
    """Observer that raises when the call `b` ends."""

    @override
    def call_ended(self, call: CallSpan, outcome: object, /) -> None:
        if call.name == "b":
            raise ZeroDivisionError


async def test_observer_error_at_start_sends_nothing(bank: Bank) -> None:
    with pytest.raises(ZeroDivisionError):
        await run_observed(bank, FailingAtStart(), lambda run: run.commit("settlement", bank.write("a")))
    assert bank.log == []


async def test_observer_error_undoes_commit(bank: Bank) -> None:
    with pytest.raises(ZeroDivisionError):
        await run_observed(
            bank, FailingAtCallEnd(), lambda run: run.commit("settlement", bank.write("a"), bank.write("b"))
        )
    assert bank.ledger.standing == set()
    assert bank.log[-1] == "end undone"
