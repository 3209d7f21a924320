"""Run: the handle with which a pipeline makes its stages and its commit."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, NoReturn, TypeVar, final, overload

from gateway.railway.call import Call
from gateway.railway.commit import build_intents, commit
from gateway.railway.context import change_context, current_context, time_left
from gateway.railway.errors import Aggregate, Failure, Stuck, Unavailable
from gateway.railway.journal import CommitStart, derive_key
from gateway.railway.observer import SEQUENTIAL, SETTLE, CommitPolicy, Policy
from gateway.railway.result import Err, Result
from gateway.railway.run_state import RunMisused, RunState
from gateway.railway.stage import run_stage
from gateway.railway.write import CommitStep, Write

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
    """Run of a pipeline: it makes stages and at most one commit, and a failure exits the run.

    `E` is the union of all failures that the pipeline promises its callers; both type checkers refuse a call
    that can fail in any other way. A run with stages promises `Aggregate`, since several calls can fail at once.

    The run exits by raising a `BaseException`, which the `Pipeline` turns into a failed result. A pipeline
    raises `RunMisused` if it catches this exception, uses the run after its end, or begins a stage while
    another stage is open.

    After the commit the run can no longer fail. So a run inside another run must not commit: the outer run
    could still fail.
    """

    __slots__ = ("_state",)

    def __init__(self, state: RunState) -> None:
        self._state = state

    @property
    def execution_id(self) -> str:
        """Return the id of the execution, under which the journal records the commit."""
        return self._state.execution_id

    def fail(self, error: E_contra) -> NoReturn:
        """Exit the run with *error*; raises `RunMisused` after a commit."""
        self._state.check_before_commit("`fail` after the commit began: from then on a run must not fail")
        self._state.exit_with(error)

    def unwrap(self, result: Result[T, E_contra]) -> T:
        """Return the value of *result*, or exit the run with the error; raises `RunMisused` after a commit."""
        if isinstance(result, Err):
            self._state.check_before_commit(
                "`unwrap` of an error after the commit began: from then on a run must not fail"
            )
        return self._state.unwrap(result)

    # mypy drops overloads whose self-types differ, so a stage of a single call needs `Aggregate` too.
    # One overload per line: the table is read downwards.
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
        """Make all *calls* at once; return their values in argument order, or exit the run.

        No call outlives the stage. See `Policy` for the effect of a failed call, and `run_stage` for
        exceptions and cancellation. After a commit the calls must be optional, and may be best-effort writes.
        """
        state = self._state
        state.open_stage(name)
        try:
            result = await run_stage(name, _prepare_calls(state, name, calls), policy)
        finally:
            state.stage = None
        values = state.unwrap(result)
        state.past.append((name, calls, values))
        return values

    # The same table for a commit.
    # fmt: off
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: CommitStep[A, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: CommitStep[A, E_contra], b: CommitStep[B, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: CommitStep[A, E_contra], b: CommitStep[B, E_contra], c: CommitStep[C, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B, C]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: CommitStep[A, E_contra], b: CommitStep[B, E_contra], c: CommitStep[C, E_contra], d: CommitStep[D, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B, C, D]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: CommitStep[A, E_contra], b: CommitStep[B, E_contra], c: CommitStep[C, E_contra], d: CommitStep[D, E_contra], g: CommitStep[G, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B, C, D, G]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: CommitStep[A, E_contra], b: CommitStep[B, E_contra], c: CommitStep[C, E_contra], d: CommitStep[D, E_contra], g: CommitStep[G, E_contra], h: CommitStep[H, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B, C, D, G, H]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: CommitStep[A, E_contra], b: CommitStep[B, E_contra], c: CommitStep[C, E_contra], d: CommitStep[D, E_contra], g: CommitStep[G, E_contra], h: CommitStep[H, E_contra], j: CommitStep[J, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B, C, D, G, H, J]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: CommitStep[A, E_contra], b: CommitStep[B, E_contra], c: CommitStep[C, E_contra], d: CommitStep[D, E_contra], g: CommitStep[G, E_contra], h: CommitStep[H, E_contra], j: CommitStep[J, E_contra], k: CommitStep[K, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B, C, D, G, H, J, K]: ...
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: CommitStep[A, E_contra], b: CommitStep[B, E_contra], c: CommitStep[C, E_contra], d: CommitStep[D, E_contra], g: CommitStep[G, E_contra], h: CommitStep[H, E_contra], j: CommitStep[J, E_contra], k: CommitStep[K, E_contra], m: CommitStep[M, E_contra], /, *, policy: CommitPolicy = SEQUENTIAL) -> tuple[A, B, C, D, G, H, J, K, M]: ...
    # fmt: on
    async def commit(
        self, name: str, /, *steps: CommitStep[Any, Any], policy: CommitPolicy = SEQUENTIAL
    ) -> tuple[Any, ...]:
        """Make *steps*, which are writes and reads; return all values, or undo the writes and exit the run.

        Nothing is sent if less than `CommitTerms.reserve` seconds are left until the deadline: the run exits
        with `Unavailable`. Nothing is sent either if `RunContext.gate` denies the commit, because the request
        is gone: `asyncio.CancelledError` is raised. Once the commit has begun, neither the deadline nor a
        cancellation cuts it short, and the stages after the commit have no deadline. The run exits with
        `Stuck` if a write could not be undone. See `gateway.railway.commit` for the rest.
        """
        state = self._state
        state.open_stage(name)
        try:
            state.check_before_commit(f"commit {name!r} follows another commit: a run has at most one commit")
            if state.is_nested:
                msg = f"commit {name!r} is in a nested run, and the outer run could still fail: commit there"
                raise RunMisused(msg)
            _check_steps(name, steps)
            if time_left() < current_context().commit_terms.reserve:
                error = Unavailable("There is too little time left to begin the commit", was_sent=False)
                state.exit_with(error)
            state.has_committed = True
            intents = build_intents(state.key_prefix, name, steps)
            start = CommitStart(state.execution_id, state.pipeline, name, intents, state.records)
            result = await commit(start, steps, policy)
        finally:
            state.stage = None
        change_context(deadline=None)
        return state.unwrap(result)


def _prepare_calls(
    state: RunState, stage: str, calls: Sequence[CommitStep[Any, Any]]
) -> Sequence[Call[Any, Any]]:
    """Return the calls that *stage* makes: *calls*, with idempotency keys for the best-effort writes.

    Raise `RunMisused` if the stage may not make all of them.
    """
    prepared: list[Call[Any, Any]] = []
    for call in calls:
        if isinstance(call, Write):
            msg = f"{call.name} in stage {stage!r} is a write: make it in a commit"
            raise RunMisused(msg)
        if call.with_key is not None and not state.has_committed:
            msg = (
                f"{call.name} in stage {stage!r} is a best-effort write: make it in a stage after the commit"
            )
            raise RunMisused(msg)
        prepared.append(call)
    return [*_prepare_after_commit(state, stage, prepared)] if state.has_committed else prepared


def _prepare_after_commit(
    state: RunState, stage: str, calls: Sequence[Call[Any, Any]]
) -> Iterator[Call[Any, Any]]:
    # Stages can share a name, also with the commit; the number keeps the keys of their writes apart.
    numbered = f"{len(state.past)}-{stage}"
    for position, call in enumerate(calls):
        if not call.is_optional:
            state.check_before_commit(
                f"{call.name} in stage {stage!r}, after the commit, can fail: make the call optional"
            )
        key = derive_key(state.key_prefix, numbered, position, call.name)
        yield call.with_key(key) if call.with_key else call


def _check_steps(commit: str, steps: Sequence[CommitStep[Any, Any]]) -> None:
    """Raise `RunMisused` unless there is a write, and every write can be undone."""
    if not any(isinstance(step, Write) for step in steps):
        msg = f"commit {commit!r} has no write: make its calls in a stage"
        raise RunMisused(msg)
    for step in steps:
        if isinstance(step, Write):
            if step.undo is None:
                msg = f"{step.name} in commit {commit!r} has no undo: add one, or make it `best_effort` in a later stage"
                raise RunMisused(msg)
        elif step.with_key is not None:
            msg = f"{step.name} in commit {commit!r} is a best-effort write: make it in a stage after the commit"
            raise RunMisused(msg)
