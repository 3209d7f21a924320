"""Calls that answer when told to, and write down what became of them."""

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
"""An hour: nothing that is right waits for it."""

FINE: Final = Ok(1)
MISSING: Final = Err(NotFound("missing"))
TAKEN: Final = Err(Conflict("taken"))

ORDERS: Final = (*permutations((1.0, 2.0, 3.0)),)
"""When each of three calls answers, in every order."""


@dataclass
class World:
    """Every call writes here that it started, ended or was cleaned up, and how much was to be done for it."""

    log: list[str] = field(default_factory=list[str])
    efforts: dict[str, list[CallMode]] = field(default_factory=dict[str, list[CallMode]])

    def call(
        self, name: str, answer: Answer | BaseException = FINE, *, after: float = 0, cleanup: float = 0
    ) -> Call[int, Failure]:
        """Describe a call that comes to *answer* *after* so many seconds; cancelled, it takes *cleanup*."""

        async def attempt() -> Answer:
            self.log.append(f"{name} started")
            self.note_effort(name)
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

    def note_effort(self, name: str) -> None:
        """Write down how much is to be done for the call that is made."""
        self.efforts.setdefault(name, []).append(current_context().mode)

    def hung(self, name: str, *, cleanup: float = 0) -> Call[int, Failure]:
        """Describe a call that does not answer."""
        return self.call(name, after=FOREVER, cleanup=cleanup)


def now() -> float:
    """Give the seconds since the test began."""
    return asyncio.get_running_loop().time()


def cancellations() -> int:
    """Count the requests to cancel this task that nobody has answered."""
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


@railway
async def trio(
    run: Run[Failure],
    a: Call[int, Failure],
    b: Call[int, Failure],
    c: Call[int, Failure],
    *,
    policy: Policy = SETTLE,
) -> tuple[int, int, int]:
    """Make a stage of three calls, and nothing else."""
    return await run.stage("trio", a, b, c, policy=policy)
