"""What an observer hears of a commit."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from typing_extensions import override

from gateway.railway import CONCURRENT, CallSpan, Failure, Ok, Result, Run, StageSpan, railway
from tests.railway.recording_observer import Ear
from tests.railway.scripted_calls import FINE, TAKEN
from tests.railway.scripted_writes import LATE, Bank, Told, committing


@pytest.fixture
def ear() -> Ear:
    return Ear()


def heard(
    bank: Bank, ear: Ear, body: Callable[[Run[Failure]], Awaitable[object]]
) -> Awaitable[Result[object, Failure]]:
    return railway(body).on(replace(bank.around(), observer=ear))()


async def test_a_commit_is_heard_as_a_stage_and_each_attempt_and_undo_as_a_call(bank: Bank, ear: Ear) -> None:
    steps = bank.write("a", LATE, FINE), bank.write("b", TAKEN)

    await heard(bank, ear, lambda run: run.commit("settlement", *steps))

    assert ear.told == (
        ["+settlement", "+a", "-a", "+a", "-a", "+b", "-b", "+a.undo", "-a.undo", "-settlement"]
    )
    assert ear.outcomes == {"a": FINE, "b": TAKEN, "a.undo": FINE}


async def test_reads_that_ride_along_are_heard_as_calls(bank: Bank, ear: Ear) -> None:
    steps = bank.call("a", after=2), bank.write("b", Told(after=1)).map(str)

    await heard(bank, ear, lambda run: run.commit("settlement", *steps, policy=CONCURRENT))

    assert ear.told == ["+settlement", "+a", "+b", "-b", "-a", "-settlement"]


async def test_what_is_made_in_a_commit_knows_its_stage(bank: Bank, ear: Ear) -> None:
    steps = bank.write("a"), bank.call("b"), bank.write("c", TAKEN)

    await heard(bank, ear, lambda run: run.commit("settlement", *steps))

    assert ear.stages[0] is ear.stages[1]
    assert [(call.name, call.is_write) for call in ear.stages[0].calls] == [
        ("a", True),
        ("b", False),
        ("c", True),
    ]
    assert {call.stage for call in ear.calls} == {ear.stages[0]}


async def test_steps_that_are_not_sent_are_not_heard_of(bank: Bank, ear: Ear) -> None:
    await heard(bank, ear, lambda run: run.commit("settlement", bank.write("a", TAKEN), bank.write("b")))

    assert ear.told == ["+settlement", "+a", "-a", "-settlement"]


async def test_a_bug_ends_its_call_with_the_exception(bank: Bank, ear: Ear) -> None:
    bug = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await heard(bank, ear, lambda run: run.commit("settlement", bank.write("a", bug)))
    assert ear.outcomes == {"a": bug, "a.undo": FINE}


async def test_a_best_effort_write_is_heard_as_a_call_of_its_stage(bank: Bank, ear: Ear) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.commit("settlement", bank.write("a"))
        await run.stage("after", bank.write("mail", TAKEN).best_effort())

    await heard(bank, ear, body)

    assert ear.told[-4:] == ["+after", "+mail", "-mail", "-after"]
    assert ear.outcomes["mail"] == TAKEN


async def test_an_observer_changes_nothing(bank: Bank, ear: Ear) -> None:
    around = replace(bank.around(), observer=ear)

    assert await committing.on(around)(bank.write("a", LATE, FINE), bank.call("b", Ok(2))) == Ok((1, 2))


class Broken(Ear):
    """Breaks when a commit starts."""

    @override
    def stage_started(self, stage: StageSpan, /) -> None:
        raise ZeroDivisionError


class Deaf(Ear):
    """Breaks when the call *b* ends."""

    @override
    def call_ended(self, call: CallSpan, outcome: object, /) -> None:
        if call.name == "b":
            raise ZeroDivisionError


async def test_an_observer_that_breaks_first_keeps_everything_from_being_sent(bank: Bank) -> None:
    with pytest.raises(ZeroDivisionError):
        await heard(bank, Broken(), lambda run: run.commit("settlement", bank.write("a")))
    assert bank.log == []


async def test_an_observer_that_breaks_has_everything_undone(bank: Bank) -> None:
    with pytest.raises(ZeroDivisionError):
        await heard(bank, Deaf(), lambda run: run.commit("settlement", bank.write("a"), bank.write("b")))
    assert bank.ledger.standing == set()
    assert bank.log[-1] == "end undone"
