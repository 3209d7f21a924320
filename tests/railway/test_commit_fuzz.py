"""Random commits, answers, delays and cancellations, against a service that lets writes land late."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.railway import BadAnswer, CommitPolicy, Err, Failure, Ok
from tests.railway.commit_fuzzer import Bug, Change, Plan, Read, play
from tests.railway.scripted_calls import FINE, FOREVER, MISSING, TAKEN
from tests.railway.scripted_writes import BUSY, LATE, UNREACHED, Told

UNUSABLE: Err[Failure] = Err(BadAnswer("unusable"))
SECONDS = st.sampled_from([0, 0.1, 0.25, 1, 4, 12])
LANDS = st.none() | st.sampled_from([0, 0.3, 2, 9, 50])

DONE = st.builds(Told, st.just(FINE), SECONDS, st.sampled_from([None, 0]))
NOT_DONE = st.builds(Told, st.sampled_from([TAKEN, UNREACHED, BUSY]), SECONDS)
NOBODY_KNOWS = st.builds(Told, st.sampled_from([LATE, BUSY, UNUSABLE]), SECONDS, LANDS)
BROKEN = st.builds(Told, st.sampled_from([Bug, asyncio.CancelledError]), SECONDS, LANDS)
HUNG = st.builds(Told, st.just(FINE), st.just(FOREVER), LANDS)

ATTEMPTS = DONE | DONE | NOT_DONE | NOBODY_KNOWS | BROKEN | HUNG
UNDOS = DONE | DONE | st.builds(Told, st.sampled_from([BUSY, TAKEN, Bug]), SECONDS) | NOBODY_KNOWS | HUNG


def few(told: st.SearchStrategy[Told]) -> st.SearchStrategy[tuple[Told, ...]]:
    return st.lists(told, min_size=1, max_size=3).map(tuple)


def plans(
    attempts: st.SearchStrategy[Told],
    undos: st.SearchStrategy[Told],
    seconds: st.SearchStrategy[float],
    cancels: st.SearchStrategy[tuple[float, ...]],
) -> st.SearchStrategy[Plan]:
    change = st.builds(Change, few(attempts), few(undos))
    read = st.builds(Read, st.sampled_from([FINE, FINE, Ok(2), MISSING]), seconds)
    parts = st.lists(change | change | read, min_size=1, max_size=5).filter(
        lambda parts: any(isinstance(part, Change) for part in parts)
    )
    return st.builds(Plan, st.sampled_from(CommitPolicy), parts.map(tuple), cancels)


CANCELS = st.just(()) | st.lists(st.sampled_from([0, 0.1, 0.5, 3, 15]), max_size=2).map(tuple)


@settings(max_examples=600, deadline=None)
@given(plans(ATTEMPTS, UNDOS, SECONDS, CANCELS))
async def test_whatever_happens_the_ledger_is_what_the_caller_and_the_journal_are_told(plan: Plan) -> None:
    await play(plan)


@settings(max_examples=200, deadline=None)
@given(plans(DONE | NOBODY_KNOWS, DONE | NOBODY_KNOWS, SECONDS, CANCELS))
async def test_whatever_is_lost_on_the_way_the_ledger_is_what_is_told(plan: Plan) -> None:
    await play(plan)


QUICK = st.sampled_from([0, 0.1, 0.2, 0.3])
ANSWERED = st.builds(Told, st.sampled_from([FINE, FINE, TAKEN, UNREACHED, LATE, BUSY, UNUSABLE, Bug]), QUICK)
UNDONE = st.builds(Told, st.sampled_from([FINE, FINE, LATE, BUSY, Bug]), QUICK)
LATENCIES = st.lists(QUICK, min_size=30, max_size=30)


@settings(max_examples=300, deadline=None)
@given(plans(ANSWERED, UNDONE, QUICK, st.just(())), LATENCIES)
async def test_the_same_answers_at_other_times_give_the_same_result(
    plan: Plan, latencies: list[float]
) -> None:
    assert await play(plan) == await play(plan.slower(latencies))
