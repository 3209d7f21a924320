"""What a pipeline holds while it runs."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Generic, NoReturn, TypeVar, final, overload

from gateway.railway.call import Call
from gateway.railway.commit import SEQUENTIAL, CommitPolicy, commit, intents
from gateway.railway.context import RUN_CONTEXT, RunContext
from gateway.railway.errors import Aggregate, Failure, Stuck, Unavailable
from gateway.railway.journal import Beginning
from gateway.railway.misused import RunMisused
from gateway.railway.result import Err, Result
from gateway.railway.run_state import RunState
from gateway.railway.shield import shielded
from gateway.railway.stage import SETTLE, Policy, together
from gateway.railway.write import Step, Write

__all__ = ("Run",)

T = TypeVar("T")
E_contra = TypeVar("E_contra", bound=Failure, contravariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
G = TypeVar("G")
H = TypeVar("H")
J = TypeVar("J")
K = TypeVar("K")
M = TypeVar("M")


@final
class Run(Generic[E_contra]):
    """What a pipeline holds while it runs: it makes stages, and leaves by failing.

    `E` is every failure the pipeline promises its callers; both type checkers refuse a call that can fail in
    another way. A run with stages promises `Aggregate`, since several calls can fail at once.

    To leave is to raise a `BaseException` that only the run's own `@railway` function stops. A pipeline that
    keeps it from getting there, uses a run after its end or begins a stage inside another raises `RunMisused`.

    A run that writes does so in one commit, after which it can no longer fail; so a run that is part of another
    does not write.
    """

    __slots__ = ("_state",)

    def __init__(self, state: RunState) -> None:
        self._state = state

    @property
    def execution_id(self) -> str:
        """Give what this run's commit is known by: the same again if the run is made again after a crash."""
        return self._state.execution_id

    def fail(self, error: E_contra) -> NoReturn:
        """Leave the run with *error*."""
        self._state.refuse_to_fail("the run fails")
        self._state.leave(error)

    def unwrap(self, result: Result[T, E_contra]) -> T:
        """Give the value of *result*, or leave the run with its error."""
        if isinstance(result, Err):
            self._state.refuse_to_fail("the run fails")
        return self._state.unwrap(result)

    # Self-types that differ make mypy drop overloads, so one call alone wants `Aggregate` promised as well.
    # One overload a line: the table is read downwards.
    # fmt: off
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], c: Call[C, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B, C]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], c: Call[C, E_contra], d: Call[D, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B, C, D]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], c: Call[C, E_contra], d: Call[D, E_contra], g: Call[G, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B, C, D, G]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], c: Call[C, E_contra], d: Call[D, E_contra], g: Call[G, E_contra], h: Call[H, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B, C, D, G, H]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], c: Call[C, E_contra], d: Call[D, E_contra], g: Call[G, E_contra], h: Call[H, E_contra], j: Call[J, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B, C, D, G, H, J]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], c: Call[C, E_contra], d: Call[D, E_contra], g: Call[G, E_contra], h: Call[H, E_contra], j: Call[J, E_contra], k: Call[K, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B, C, D, G, H, J, K]: ...
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], b: Call[B, E_contra], c: Call[C, E_contra], d: Call[D, E_contra], g: Call[G, E_contra], h: Call[H, E_contra], j: Call[J, E_contra], k: Call[K, E_contra], m: Call[M, E_contra], /, *, policy: Policy = SETTLE) -> tuple[A, B, C, D, G, H, J, K, M]: ...
    # fmt: on
    async def stage(self, name: str, /, *calls: Call[Any, Any], policy: Policy = SETTLE) -> tuple[Any, ...]:
        """Make all *calls* at once; give their values in argument order, or leave the run.

        See `Policy` for what a failed call means, and `together` for exceptions and cancellation. After a
        commit a call must be optional, and a best-effort write may be one of them.
        """
        state = self._state
        state.begin(name)
        try:
            result = await together(name, state.admitted(name, calls), policy)
        finally:
            state.stage = None
        values = state.unwrap(result)
        state.past.append((name, calls, values))
        return values

    # The same again, for a commit.
    # fmt: off
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], c: Step[C, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B, C]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], c: Step[C, E_contra], d: Step[D, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B, C, D]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], c: Step[C, E_contra], d: Step[D, E_contra], g: Step[G, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B, C, D, G]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], c: Step[C, E_contra], d: Step[D, E_contra], g: Step[G, E_contra], h: Step[H, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B, C, D, G, H]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], c: Step[C, E_contra], d: Step[D, E_contra], g: Step[G, E_contra], h: Step[H, E_contra], j: Step[J, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B, C, D, G, H, J]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], c: Step[C, E_contra], d: Step[D, E_contra], g: Step[G, E_contra], h: Step[H, E_contra], j: Step[J, E_contra], k: Step[K, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B, C, D, G, H, J, K]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: Step[A, E_contra], b: Step[B, E_contra], c: Step[C, E_contra], d: Step[D, E_contra], g: Step[G, E_contra], h: Step[H, E_contra], j: Step[J, E_contra], k: Step[K, E_contra], m: Step[M, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B, C, D, G, H, J, K, M]: ...
    # fmt: on
    async def commit(
        self, name: str, /, *steps: Step[Any, Any], policy: CommitPolicy = SEQUENTIAL
    ) -> tuple[Any, ...]:
        """Make writes, and reads that ride along; give what all came to, or undo the writes and leave the run.

        It begins only if the reserve is left of the run's deadline, else the run is left with `Unavailable` and
        nothing has been written. From then on neither deadline nor cancellation cuts the commit, nor the
        deadline what comes after it. See `commit` in `gateway.railway.commit` for all else.
        """
        state, around = self._state, RUN_CONTEXT.get()
        state.begin(name)
        try:
            state.refuse_to_fail(f"another commit, {name!r},")
            if state.is_nested:
                msg = f"commit {name!r} is inside another run, which may fail after it"
                raise RunMisused(msg)
            _refuse_what_stays(name, steps)
            if not _has_time(around):
                state.leave(Unavailable("There is too little time left to begin the commit", was_sent=False))
            state.has_committed = True
            known_as = state.execution_id
            meant = intents(state.key_prefix, name, steps)
            of = Beginning(known_as, state.pipeline, name, meant, state.recorded)
            result = await shielded(commit(of, steps, policy))
        finally:
            state.stage = None
        RUN_CONTEXT.set(replace(RUN_CONTEXT.get(), deadline=None))
        return state.unwrap(result)


def _refuse_what_stays(name: str, steps: Sequence[Step[Any, Any]]) -> None:
    """Raise `RunMisused` unless there is something to write, and all of that can be undone."""
    if not any(isinstance(step, Write) for step in steps):
        msg = f"commit {name!r} has no write: it is a stage"
        raise RunMisused(msg)
    for step in steps:
        if step.undo is None if isinstance(step, Write) else step.keyed is not None:
            msg = f"{step.name} cannot be undone: no part of commit {name!r}, but best effort after it"
            raise RunMisused(msg)


def _has_time(around: RunContext) -> bool:
    now = asyncio.get_running_loop().time()
    return around.deadline is None or around.deadline - now >= around.commits.reserve
