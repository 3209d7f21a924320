"""Random pipelines: their stages, policies, answers, delays and cancellations."""

import asyncio

import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.railway import Policy
from tests.railway.pipeline_fuzzer import CallPlan, Plan, StagePlan, run_and_check

ANSWERS = st.sampled_from(["fine", "fine", "fine", "missing", "missing", "invalid", "bug", "stray"])
EXPECTED = st.sampled_from(["fine", "fine", "missing", "invalid"])
ON_CANCEL = st.sampled_from(["stop", "clean up", "ignore", "raise"])
POLICIES = st.sampled_from(Policy)


def build_plans(
    answers: st.SearchStrategy[str], on_cancel: st.SearchStrategy[str]
) -> st.SearchStrategy[Plan]:
    calls = st.builds(CallPlan, st.integers(0, 4), answers, on_cancel)
    several = st.lists(calls, min_size=1, max_size=5).map(tuple)
    stages = st.builds(StagePlan, POLICIES, several, st.none() | st.integers(1, 6))
    cancels: st.SearchStrategy[list[int]] = st.just([]) | st.lists(st.integers(0, 8), max_size=3)
    return st.builds(Plan, st.lists(stages, min_size=1, max_size=3).map(tuple), cancels.map(tuple))


ANYTHING = build_plans(ANSWERS, ON_CANCEL)
NO_BUGS = build_plans(EXPECTED, st.sampled_from(["stop", "clean up", "ignore"]))


@settings(max_examples=400)
@given(ANYTHING | NO_BUGS)
async def test_random_pipeline_keeps_invariants(plan: Plan) -> None:
    """The pipeline ends as its answers determine, and leaves no call or task behind."""
    await run_and_check(plan)


def test_random_pipeline_keeps_invariants_on_uvloop() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:

        @settings(max_examples=400)
        @given(ANYTHING | NO_BUGS)
        def check(plan: Plan) -> None:
            runner.run(run_and_check(plan))

        check()
