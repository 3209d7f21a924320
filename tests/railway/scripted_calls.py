"""Calls with scripted answers and delays, which log their progress."""

import asyncio
from dataclasses import dataclass, field
from itertools import permutations
from typing import Final, TypeAlias

from gateway.railway import (
    SETTLE,
    Call,
    CallMode,
    Conflict,
    Err,
    Failure,
    NotFound,
    Ok,
    Policy,
    Result,
    Run,
    current_context,
    railway,
)

Answer: TypeAlias = Result[int, Failure]

FOREVER: Final = 3600.0
"""An hour in seconds: a correct test never waits for it."""

FINE: Final = Ok(1)
MISSING: Final = Err(NotFound("missing"))
TAKEN: Final = Err(Conflict("taken"))

DELAYS: Final = (*permutations((1.0, 2.0, 3.0)),)
"""Seconds until each of three calls answers, for every order of arrival."""


@dataclass
class Services:
    """Fake services: every call logs its start, end and cleanup, and records its mode."""

    log: list[str] = field(default_factory=list[str])
    modes: dict[str, list[CallMode]] = field(default_factory=dict[str, list[CallMode]])

    def call(
        self, name: str, answer: Answer | BaseException = FINE, *, after: float = 0, cleanup: float = 0
    ) -> Call[int, Failure]:
        """Build a call that returns or raises *answer* after *after* seconds.

        A cancelled call cleans up for *cleanup* seconds.
        """

        async def attempt() -> Answer:
            self.log.append(f"{name} started")
            self.record_mode(name)
            try:
                await asyncio.sleep(after)
            except asyncio.CancelledError:
                await asyncio.sleep(cleanup)
                self.log.append(f"{name} cleaned up")
                raise
            self.log.append(f"{name} ended")
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return Call(name, attempt)

    def record_mode(self, name: str) -> None:
        """Record the current mode under the *name* of the call."""
        self.modes.setdefault(name, []).append(current_context().mode)

    def hang(self, name: str, *, cleanup: float = 0) -> Call[int, Failure]:
        """Build a call that never answers."""
        return self.call(name, after=FOREVER, cleanup=cleanup)


def now() -> float:
    """Return the seconds since the test began."""
    return asyncio.get_running_loop().time()


def count_cancellations() -> int:
    """Return the number of pending cancellation requests of the current task."""
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


@railway
async def three_calls(
    run: Run[Failure],
    a: Call[int, Failure],
    b: Call[int, Failure],
    c: Call[int, Failure],
    *,
    policy: Policy = SETTLE,
) -> tuple[int, int, int]:
    """Run a single stage of three calls."""
    return await run.stage("three_calls", a, b, c, policy=policy)
