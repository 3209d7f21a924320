"""Random stages, policies, answers, delays and cancellations."""

import asyncio

import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.railway import Policy
from tests.railway.pipeline_fuzzer import Act, Part, Plan, play

ANSWERS = st.sampled_from(["fine", "fine", "fine", "missing", "missing", "invalid", "bug", "stray"])
EXPECTED = st.sampled_from(["fine", "fine", "missing", "invalid"])
CANCELLED = st.sampled_from(["quick", "slow", "deaf", "sore"])
POLICIES = st.sampled_from(Policy)


def plans(answers: st.SearchStrategy[str], cancelled: st.SearchStrategy[str]) -> st.SearchStrategy[Plan]:
    parts = st.builds(Part, st.integers(0, 4), answers, cancelled)
    acts = st.builds(Act, POLICIES, st.lists(parts, min_size=1, max_size=5).map(tuple))
    cancels: st.SearchStrategy[list[int]] = st.just([]) | st.lists(st.integers(0, 8), max_size=3)
    return st.builds(Plan, st.lists(acts, min_size=1, max_size=3).map(tuple), cancels.map(tuple))


ANYTHING = plans(ANSWERS, CANCELLED)
NO_BUGS = plans(EXPECTED, st.sampled_from(["quick", "slow", "deaf"]))


@settings(max_examples=400)
@given(ANYTHING | NO_BUGS)
async def test_whatever_happens_nothing_hangs_or_is_left_and_the_answers_decide(plan: Plan) -> None:
    await play(plan)


def test_whatever_happens_it_happens_on_uvloop_too() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:

        @settings(max_examples=400)
        @given(ANYTHING | NO_BUGS)
        def check(plan: Plan) -> None:
            runner.run(play(plan))

        check()
