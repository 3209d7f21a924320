"""What a commit makes, in which order, and what the journal hears of it."""

from dataclasses import replace
from itertools import permutations

import pytest

from gateway.railway import (
    CONCURRENT,
    SEQUENTIAL,
    Aggregate,
    CommitPolicy,
    Conflict,
    Err,
    Failure,
    Fault,
    Invalid,
    Ok,
    Run,
    railway,
)
from tests.railway.scripted_calls import MISSING, ORDERS, TAKEN, Answer, now
from tests.railway.scripted_writes import LATE, Bank, Told

BOTH = pytest.mark.parametrize("order", [SEQUENTIAL, CONCURRENT])


@BOTH
async def test_a_commit_gives_the_values_in_argument_order(bank: Bank, order: CommitPolicy) -> None:
    steps = bank.write("a", Told(Ok(1), after=2)), bank.call("b", Ok(2)), bank.write("c", Ok(3))

    assert await bank.commit(*steps, policy=order) == Ok((1, 2, 3))


async def test_writes_are_made_one_after_the_other(bank: Bank) -> None:
    await bank.commit(bank.write("a", Told(after=2)), bank.write("b", Told(after=1)))

    assert bank.log == [
        "begin settlement",
        "a sent",
        "a is done",
        "b sent",
        "b is done",
        "end committed",
    ]
    assert now() == 3


async def test_writes_in_parallel_are_made_at_once(bank: Bank) -> None:
    await bank.commit(bank.write("a", Told(after=2)), bank.write("b", Told(after=1)), policy=CONCURRENT)

    assert bank.log == [
        "begin settlement",
        "a sent",
        "b sent",
        "b is done",
        "a is done",
        "end committed",
    ]
    assert now() == 2


@BOTH
async def test_every_write_that_is_done_stands_once(bank: Bank, order: CommitPolicy) -> None:
    await bank.commit(bank.write("a"), bank.write("b"), policy=order)

    assert bank.ledger.standing == {*bank.keys["a"], *bank.keys["b"]}
    assert [*bank.ledger.times.values()] == [1, 1]


async def test_in_order_a_failure_keeps_later_writes_from_being_sent(bank: Bank) -> None:
    result = await bank.commit(bank.write("a", TAKEN), bank.write("b"), bank.call("c"))

    assert result == TAKEN
    assert bank.log == [
        "begin settlement",
        "a sent",
        "a is refused",
        "b is refused",
        "c is refused",
        "end undone",
    ]


async def test_in_parallel_a_failure_waits_for_every_write(bank: Bank) -> None:
    steps = bank.write("a", TAKEN), bank.write("b", Told(after=3))

    assert await bank.commit(*steps, policy=CONCURRENT) == TAKEN
    assert now() == 3
    assert bank.log[3:] == ["a is refused", "b is done", "b.undo sent", "b is undone", "end undone"]


async def test_a_read_that_rides_along_is_recorded_with_its_value(bank: Bank) -> None:
    await bank.commit(bank.write("a"), bank.call("b", Ok(7)))

    assert bank.log[3:] == ["b started", "b ended", "b is done", "end committed"]
    assert bank.journal.values == {"a": 1, "b": 7}


@BOTH
@pytest.mark.parametrize("failure", [MISSING, LATE])
async def test_a_read_that_fails_undoes_the_writes(bank: Bank, order: CommitPolicy, failure: Answer) -> None:
    steps = bank.write("a"), bank.call("b", failure)

    assert await bank.commit(*steps, policy=order) == failure
    assert bank.log[-4:] == ["b is refused", "a.undo sent", "a is undone", "end undone"]
    assert bank.ledger.standing == set()


async def test_an_optional_read_fails_no_commit_and_is_lacking(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> int:
        _, told = await run.commit("settlement", bank.write("a"), bank.call("b", MISSING).optional(0))
        return told

    assert await bank.made(body) == Ok(0, lacks=("b",))


async def test_intents_reach_the_journal_before_anything_is_sent(bank: Bank) -> None:
    await bank.commit(bank.write("a"), bank.call("b"), bank.write("c"), policy=CONCURRENT)

    (begun,) = bank.journal.begun
    assert bank.log[0] == "begin settlement"
    assert (begun.execution_id, begun.pipeline, begun.name) == ("exe-1", "committing", "settlement")
    assert [(intent.name, intent.arguments, intent.undo) for intent in begun.intents] == [
        ("a", {"to": "a"}, "a.undo"),
        ("b", {}, None),
        ("c", {"to": "c"}, "c.undo"),
    ]


async def test_the_values_of_all_earlier_stages_reach_the_journal_with_the_intents(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.stage("core", bank.call("x", Ok(1)), bank.call("y", Ok(2)).map(str))
        await run.stage("more", bank.call("z", Ok(3)))
        await run.commit("settlement", bank.write("a"))
        await run.stage("after", bank.call("v").optional())

    await bank.made(body)

    past = [(stage.stage, stage.calls, stage.values) for stage in bank.journal.begun[0].past]
    assert past == [("core", ("x", "y"), (1, "2")), ("more", ("z",), (3,))]


async def test_a_write_goes_under_the_key_of_its_intent_and_so_does_its_undo(bank: Bank) -> None:
    await bank.commit(bank.write("a"), bank.write("a"), bank.write("b", TAKEN))

    first, second, third = (intent.key for intent in bank.journal.begun[0].intents)
    assert bank.keys == {"a": [first, second], "b": [third], "a.undo": [second, first]}
    assert first == "exe-1.settlement.0.a"
    assert second == "exe-1.settlement.1.a"


async def test_runs_without_an_execution_id_have_keys_of_their_own(bank: Bank) -> None:
    @railway
    async def body(run: Run[Failure]) -> str:
        await run.commit("settlement", bank.write("a"))
        return run.execution_id

    anonymous = body.on(replace(bank.around(), execution_id=None))
    ids = [(await anonymous()).value_or(""), (await anonymous()).value_or("")]

    assert bank.keys["a"] == [f"{one}.settlement.0.a" for one in ids]
    assert ids[0] != ids[1]


@pytest.mark.parametrize("after", ORDERS)
async def test_failures_are_combined_in_argument_order_whatever_comes_first(
    bank: Bank, after: tuple[float, float, float]
) -> None:
    errors: tuple[Fault, ...] = Conflict("a"), Invalid("b"), Conflict("c")
    steps = [
        bank.write(error.detail, Told(Err(error), after=wait))
        for error, wait in zip(errors, after, strict=True)
    ]

    assert await bank.commit(*steps, policy=CONCURRENT) == Err(Aggregate(errors))


@pytest.mark.parametrize("places", [*permutations(range(3))])
async def test_undo_goes_by_argument_order_whatever_comes_first(
    bank: Bank, places: tuple[int, int, int]
) -> None:
    steps = [bank.write(name, Told(after=after)) for name, after in zip("abc", places, strict=True)]

    await bank.commit(*steps, bank.write("d", TAKEN), policy=CONCURRENT)

    assert [line for line in bank.log if "undo " in line] == ["c.undo sent", "b.undo sent", "a.undo sent"]
