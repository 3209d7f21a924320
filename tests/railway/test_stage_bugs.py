"""Unexpected exceptions in a stage (bugs): every call ends before the exception is raised."""

import asyncio
import traceback
from itertools import permutations

import pytest

from gateway.railway import FAIL_FAST, SETTLE, Call, Failure, NotFound, Policy, Run, railway
from tests.railway.scripted_calls import (
    DELAYS,
    FOREVER,
    MISSING,
    Answer,
    Services,
    count_cancellations,
    now,
    three_calls,
)

BOTH_POLICIES = pytest.mark.parametrize("policy", [SETTLE, FAIL_FAST])


class Shutdown(BaseException):
    """Exception that is neither an `Exception` nor a `RunExit`."""


@BOTH_POLICIES
@pytest.mark.parametrize("position", [0, 1, 2])
async def test_bug_in_call_cancels_siblings(services: Services, policy: Policy, position: int) -> None:
    calls = [services.hang("a"), services.hang("b")]
    calls.insert(position, services.call("bug", ZeroDivisionError()))

    with pytest.raises(ZeroDivisionError):
        await three_calls(*calls, policy=policy)
    assert sorted(services.log[-2:]) == ["a cleaned up", "b cleaned up"]
    assert now() == 0


async def test_bug_propagates_after_sibling_cleanup(services: Services) -> None:
    with pytest.raises(ZeroDivisionError):
        await three_calls(
            services.hang("a", cleanup=2),
            services.call("bug", ZeroDivisionError()),
            services.hang("c", cleanup=3),
        )

    assert services.log[-2:] == ["a cleaned up", "c cleaned up"]
    assert now() == 3


async def fail_in_cleanup(error: Exception, cleanup: float) -> Answer:
    """Raise *error* when cancelled, after *cleanup* seconds."""
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(cleanup)
        raise error


@pytest.mark.parametrize(("first", "last"), [(1.0, 2.0), (2.0, 1.0)])
async def test_bug_of_first_argument_propagates(services: Services, first: float, last: float) -> None:
    a = Call("a", lambda: fail_in_cleanup(KeyError("a"), first))
    c = Call("c", lambda: fail_in_cleanup(ValueError("c"), last))

    with pytest.raises(KeyError):
        await three_calls(a, services.call("bug", ZeroDivisionError()), c)


async def test_other_bugs_are_notes_on_first_bug(services: Services) -> None:
    c = Call("c", lambda: fail_in_cleanup(ValueError("second"), 0))

    with pytest.raises(KeyError) as caught:
        await three_calls(services.call("a", KeyError("first")), services.call("b", ZeroDivisionError()), c)
    first, second = caught.value.__notes__
    assert first.startswith("also in this stage: Traceback")
    assert first.rstrip().endswith("ZeroDivisionError")
    assert second.rstrip().endswith("ValueError: second")


async def test_bug_shared_by_calls_is_reported_once(services: Services) -> None:
    shared = ConnectionError("the connection that both calls wait for")

    with pytest.raises(ConnectionError) as caught:
        await three_calls(services.call("a", shared), services.call("b", shared), services.call("c"))
    assert "also in this stage" not in "".join(traceback.format_exception(caught.value))


@BOTH_POLICIES
@pytest.mark.parametrize("delays", DELAYS)
async def test_bug_in_stage_outranks_failures(
    services: Services, policy: Policy, delays: tuple[float, float, float]
) -> None:
    a, _, c = delays
    bug = services.call("bug", ZeroDivisionError(), after=a)

    with pytest.raises(ZeroDivisionError):
        await three_calls(
            bug, services.call("b", MISSING, after=4), services.call("c", MISSING, after=c), policy=policy
        )


async def exit_after(run: Run[NotFound], seconds: float) -> Answer:
    await asyncio.sleep(seconds)
    run.fail(NotFound("exit"))


@pytest.mark.parametrize("bug", [ZeroDivisionError, Shutdown])
@pytest.mark.parametrize("order", [*permutations(range(3))])
async def test_bug_in_stage_outranks_run_fail(
    services: Services, bug: type[BaseException], order: tuple[int, int, int]
) -> None:
    @railway
    async def exit_in_stage(run: Run[Failure]) -> object:
        calls = [
            Call("exit", lambda: exit_after(run, 0)),
            services.call("bug", bug()),
            services.hang("slow"),
        ]
        a, b, c = (calls[n] for n in order)
        return await run.stage("core", a, b, c)

    with pytest.raises(bug):
        await exit_in_stage()


@BOTH_POLICIES
@pytest.mark.parametrize("order", [*permutations(range(3))])
async def test_base_exception_in_call_is_bug(
    services: Services, policy: Policy, order: tuple[int, int, int]
) -> None:
    calls = [services.call("bug", Shutdown()), services.hang("a"), services.call("b", MISSING)]

    with pytest.raises(Shutdown):
        await three_calls(*(calls[n] for n in order), policy=policy)


@BOTH_POLICIES
@pytest.mark.parametrize("order", [*permutations(range(3))])
async def test_stray_cancellation_in_call_is_bug(
    services: Services, policy: Policy, order: tuple[int, int, int]
) -> None:
    calls = [services.call("stray", asyncio.CancelledError()), services.hang("a"), services.hang("b")]

    with pytest.raises(RuntimeError, match=r"^stray was cancelled by other code$"):
        await three_calls(*(calls[n] for n in order), policy=policy)
    assert now() == 0


async def test_call_cancelled_by_sibling_does_not_hang(
    services: Services,
) -> None:
    """The call is cancelled before its first step."""

    async def cancel_siblings() -> Answer:
        for task in asyncio.all_tasks() - {asyncio.current_task(), host}:
            task.cancel()
        return MISSING

    host = asyncio.current_task()

    with pytest.raises(RuntimeError, match="was cancelled by other code"):
        await three_calls(Call("hostile", cancel_siblings), services.hang("victim"), services.hang("victim"))


async def test_bug_before_first_await_propagates(services: Services) -> None:
    async def raise_at_once() -> Answer:
        raise LookupError

    with pytest.raises(LookupError):
        await three_calls(Call("bug", raise_at_once), services.hang("b"), services.hang("c"))


async def test_bug_in_stage_leaves_no_pending_cancellation(services: Services) -> None:
    with pytest.raises(ZeroDivisionError):
        await three_calls(services.call("bug", ZeroDivisionError()), services.hang("b"), services.hang("c"))

    assert count_cancellations() == 0
    assert now() < FOREVER


async def test_bug_in_stage_skips_later_stages(services: Services) -> None:
    @railway
    async def two_stages(run: Run[Failure]) -> None:
        await run.stage("first", services.call("bug", ZeroDivisionError()))
        await run.stage("second", services.call("later"))

    with pytest.raises(ZeroDivisionError):
        await two_stages()
    assert "later started" not in services.log
