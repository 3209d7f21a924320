"""Random commits, answers, delays and cancellations, with writes that can arrive late."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.railway import BadAnswer, CommitPolicy, Err, Failure, Ok
from tests.railway.commit_fuzzer import Bug, Plan, ReadPlan, WritePlan, run_and_check
from tests.railway.scripted_calls import FINE, FOREVER, MISSING, TAKEN
from tests.railway.scripted_writes import BUSY, LATE, UNREACHED, Reply

UNUSABLE: Err[Failure] = Err(BadAnswer("unusable"))
SECONDS = st.sampled_from([0, 0.1, 0.25, 1, 4, 12])
LANDS = st.none() | st.sampled_from([0, 0.3, 2, 9, 50])

DONE = st.builds(Reply, st.just(FINE), SECONDS, st.sampled_from([None, 0]))
NOT_DONE = st.builds(Reply, st.sampled_from([TAKEN, UNREACHED, BUSY]), SECONDS)
UNANSWERED = st.builds(Reply, st.sampled_from([LATE, BUSY, UNUSABLE]), SECONDS, LANDS)
BROKEN = st.builds(Reply, st.sampled_from([Bug, asyncio.CancelledError]), SECONDS, LANDS)
HANGING = st.builds(Reply, st.just(FINE), st.just(FOREVER), LANDS)

ATTEMPTS = DONE | DONE | NOT_DONE | UNANSWERED | BROKEN | HANGING
UNDOS = DONE | DONE | st.builds(Reply, st.sampled_from([BUSY, TAKEN, Bug]), SECONDS) | UNANSWERED | HANGING


def draw_few(replies: st.SearchStrategy[Reply]) -> st.SearchStrategy[tuple[Reply, ...]]:
    return st.lists(replies, min_size=1, max_size=3).map(tuple)


def build_plans(
    attempts: st.SearchStrategy[Reply],
    undos: st.SearchStrategy[Reply],
    seconds: st.SearchStrategy[float],
    cancels: st.SearchStrategy[tuple[float, ...]],
) -> st.SearchStrategy[Plan]:
    write = st.builds(WritePlan, draw_few(attempts), draw_few(undos))
    read = st.builds(ReadPlan, st.sampled_from([FINE, FINE, Ok(2), MISSING]), seconds)
    steps = st.lists(write | write | read, min_size=1, max_size=5).filter(
        lambda steps: any(isinstance(step, WritePlan) for step in steps)
    )
    return st.builds(Plan, st.sampled_from(CommitPolicy), steps.map(tuple), cancels)


CANCELS = st.just(()) | st.lists(st.sampled_from([0, 0.1, 0.5, 3, 15]), max_size=2).map(tuple)


@settings(max_examples=600, deadline=None)
@given(build_plans(ATTEMPTS, UNDOS, SECONDS, CANCELS))
async def test_commit_outcome_matches_ledger_and_journal(plan: Plan) -> None:
    await run_and_check(plan)


@settings(max_examples=200, deadline=None)
@given(build_plans(DONE | UNANSWERED, DONE | UNANSWERED, SECONDS, CANCELS))
async def test_commit_with_lost_answers_matches_ledger(plan: Plan) -> None:
    await run_and_check(plan)


QUICK = st.sampled_from([0, 0.1, 0.2, 0.3])
ANSWERED = st.builds(Reply, st.sampled_from([FINE, FINE, TAKEN, UNREACHED, LATE, BUSY, UNUSABLE, Bug]), QUICK)
UNDONE = st.builds(Reply, st.sampled_from([FINE, FINE, LATE, BUSY, Bug]), QUICK)
LATENCIES = st.lists(QUICK, min_size=30, max_size=30)


@settings(max_examples=300, deadline=None)
@given(build_plans(ANSWERED, UNDONE, QUICK, st.just(())), LATENCIES)
async def test_commit_result_does_not_depend_on_latency(plan: Plan, latencies: list[float]) -> None:
    assert await run_and_check(plan) == await run_and_check(plan.replace_latencies(latencies))
