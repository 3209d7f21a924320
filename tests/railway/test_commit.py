"""Commit: the order of its steps, its values, and its records in the journal."""

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
from tests.railway.scripted_calls import DELAYS, MISSING, TAKEN, Answer, now
from tests.railway.scripted_writes import LATE, Bank, Reply

BOTH_POLICIES = pytest.mark.parametrize("policy", [SEQUENTIAL, CONCURRENT])


@BOTH_POLICIES
async def test_commit_returns_values_in_argument_order(bank: Bank, policy: CommitPolicy) -> None:
    steps = bank.write("a", Reply(Ok(1), after=2)), bank.call("b", Ok(2)), bank.write("c", Ok(3))

    assert await bank.commit(*steps, policy=policy) == Ok((1, 2, 3))


async def test_sequential_commit_sends_writes_in_turn(bank: Bank) -> None:
    await bank.commit(bank.write("a", Reply(after=2)), bank.write("b", Reply(after=1)))

    assert bank.log == [
        "begin settlement",
        "a sent",
        "a is done",
        "b sent",
        "b is done",
        "end committed",
    ]
    assert now() == 3


async def test_concurrent_commit_sends_writes_at_once(bank: Bank) -> None:
    await bank.commit(bank.write("a", Reply(after=2)), bank.write("b", Reply(after=1)), policy=CONCURRENT)

    assert bank.log == [
        "begin settlement",
        "a sent",
        "b sent",
        "b is done",
        "a is done",
        "end committed",
    ]
    assert now() == 2


@BOTH_POLICIES
async def test_commit_executes_every_write_once(bank: Bank, policy: CommitPolicy) -> None:
    await bank.commit(bank.write("a"), bank.write("b"), policy=policy)

    assert bank.ledger.standing == {*bank.keys["a"], *bank.keys["b"]}
    assert [*bank.ledger.counts.values()] == [1, 1]


async def test_sequential_commit_stops_at_first_failure(bank: Bank) -> None:
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


async def test_failed_commit_awaits_other_writes(bank: Bank) -> None:
    steps = bank.write("a", TAKEN), bank.write("b", Reply(after=3))

    assert await bank.commit(*steps, policy=CONCURRENT) == TAKEN
    assert now() == 3
    assert bank.log[3:] == ["a is refused", "b is done", "b.undo sent", "b is undone", "end undone"]


async def test_commit_records_outcome_of_read(bank: Bank) -> None:
    await bank.commit(bank.write("a"), bank.call("b", Ok(7)))

    assert bank.log[3:] == ["b started", "b ended", "b is done", "end committed"]


@BOTH_POLICIES
@pytest.mark.parametrize("failure", [MISSING, LATE])
async def test_failed_read_undoes_writes(bank: Bank, policy: CommitPolicy, failure: Answer) -> None:
    steps = bank.write("a"), bank.call("b", failure)

    assert await bank.commit(*steps, policy=policy) == failure
    assert bank.log[-4:] == ["b is refused", "a.undo sent", "a is undone", "end undone"]
    assert bank.ledger.standing == set()


async def test_failed_optional_read_does_not_fail_commit(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> int:
        _, value = await run.commit("settlement", bank.write("a"), bank.call("b", MISSING).optional(0))
        return value

    assert await bank.run(body) == Ok(0, lacks=("b",))


async def test_commit_records_intents_before_sending(bank: Bank) -> None:
    await bank.commit(bank.write("a"), bank.call("b"), bank.write("c"), policy=CONCURRENT)

    (start,) = bank.journal.starts
    assert bank.log[0] == "begin settlement"
    assert (start.execution_id, start.pipeline, start.name) == ("exe-1", "payment", "settlement")
    assert [(intent.name, intent.undo) for intent in start.intents] == [
        ("a", "a.undo"),
        ("b", None),
        ("c", "c.undo"),
    ]


async def test_write_and_undo_use_key_of_intent(bank: Bank) -> None:
    await bank.commit(bank.write("a"), bank.write("a"), bank.write("b", TAKEN))

    first, second, third = (intent.key for intent in bank.journal.starts[0].intents)
    assert bank.keys == {"a": [first, second], "b": [third], "a.undo": [second, first]}
    assert first == "exe-1.settlement.0.a"
    assert second == "exe-1.settlement.1.a"


async def test_runs_without_execution_id_get_unique_keys(bank: Bank) -> None:
    @railway
    async def body(run: Run[Failure]) -> str:
        await run.commit("settlement", bank.write("a"))
        return run.execution_id

    anonymous = body.on(replace(bank.build_context(), execution_id=None))
    ids = [(await anonymous()).value_or(""), (await anonymous()).value_or("")]

    assert bank.keys["a"] == [f"{execution_id}.settlement.0.a" for execution_id in ids]
    assert ids[0] != ids[1]


@pytest.mark.parametrize("delays", DELAYS)
async def test_commit_combines_failures_in_argument_order(
    bank: Bank, delays: tuple[float, float, float]
) -> None:
    errors: tuple[Fault, ...] = Conflict("a"), Invalid("b"), Conflict("c")
    steps = [
        bank.write(error.detail, Reply(Err(error), after=delay))
        for error, delay in zip(errors, delays, strict=True)
    ]

    assert await bank.commit(*steps, policy=CONCURRENT) == Err(Aggregate(errors))


@pytest.mark.parametrize("delays", [*permutations(range(3))])
async def test_undos_follow_reverse_argument_order(bank: Bank, delays: tuple[int, int, int]) -> None:
    steps = [bank.write(name, Reply(after=delay)) for name, delay in zip("abc", delays, strict=True)]

    await bank.commit(*steps, bank.write("d", TAKEN), policy=CONCURRENT)

    assert [line for line in bank.log if "undo " in line] == ["c.undo sent", "b.undo sent", "a.undo sent"]
