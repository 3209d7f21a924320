"""Cost of a three-call stage without I/O, compared with plain asyncio in the same run.

    .venv/bin/python benchmarks/engine.py

Measured with calls that return at once, and with calls that suspend once, as calls with I/O do. Figures
are microseconds per stage: the median over the rounds, their spread from the 10th to the 90th percentile, and
the ratio to `asyncio.TaskGroup`, calculated per round.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import uvloop

from gateway.railway import FAIL_FAST, SETTLE, Aggregate, Call, NotFound, Ok, Policy, Run, railway

ROUNDS = 60
STAGES = 1000
BASELINE = "asyncio.TaskGroup"


Leaf = Callable[[], Coroutine[Any, Any, Ok[int]]]


async def return_at_once() -> Ok[int]:
    return Ok(1)


async def suspend_once() -> Ok[int]:
    await asyncio.sleep(0)
    return Ok(1)


async def run_gather(leaf: Leaf) -> None:
    for _ in range(STAGES):
        await asyncio.gather(leaf(), leaf(), leaf())


async def run_task_group(leaf: Leaf) -> None:
    for _ in range(STAGES):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(leaf()) for _ in range(3)]
        for task in tasks:
            task.result()


@railway
async def run_stages(run: Run[NotFound | Aggregate], leaf: Leaf, policy: Policy) -> None:
    call: Call[int, NotFound] = Call("bench.leaf", leaf)
    for _ in range(STAGES):
        await run.stage("bench", call, call, call, policy=policy)


async def run_settle(leaf: Leaf) -> None:
    await run_stages(leaf, SETTLE)


async def run_fail_fast(leaf: Leaf) -> None:
    await run_stages(leaf, FAIL_FAST)


CONTENDERS: Mapping[str, Callable[[Leaf], Awaitable[None]]] = {
    "asyncio.gather": run_gather,
    BASELINE: run_task_group,
    "run.stage (settle)": run_settle,
    "run.stage (fail fast)": run_fail_fast,
}


async def measure(leaf: Leaf) -> Mapping[str, list[float]]:
    figures: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(ROUNDS):
        for name, contender in CONTENDERS.items():
            start = time.perf_counter()
            await contender(leaf)
            figures[name].append((time.perf_counter() - start) / STAGES * 1e6)
    return figures


def report(loop: str, figures: Mapping[str, list[float]]) -> None:
    print(loop)
    for name, each in figures.items():
        low, *_, high = statistics.quantiles(each, n=10)
        ratio = statistics.median(figure / base for figure, base in zip(each, figures[BASELINE], strict=True))
        middle = statistics.median(each)
        print(f"  {name:24} {middle:6.1f} us  ({low:.1f} to {high:.1f})  {ratio:.2f} x {BASELINE}")


if __name__ == "__main__":
    for leaf in (return_at_once, suspend_once):
        report(f"asyncio, {leaf.__name__}", asyncio.run(measure(leaf)))
        report(f"uvloop, {leaf.__name__}", uvloop.run(measure(leaf)))
