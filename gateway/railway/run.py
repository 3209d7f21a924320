"""Run: the handle with which a pipeline makes its stages and its commit."""

# The overloads for mistakes in `Run.stage` accept the calls of the overloads before them too.
# mypy: disable-error-code="overload-overlap"

from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from inspect import iscoroutine
from typing import Any, Final, Generic, NoReturn, TypeAlias, TypeVar, cast, final, overload

from gateway.railway.call import Call
from gateway.railway.commit import build_intents, commit
from gateway.railway.context import change_context, current_context, time_left
from gateway.railway.errors import Aggregate, Failure, Stuck, Unavailable
from gateway.railway.journal import CommitStart, Key, derive_key
from gateway.railway.observer import SEQUENTIAL, SETTLE, CommitPolicy, Policy, check_policy
from gateway.railway.parallel import Parallel
from gateway.railway.result import Err, Ok, Result
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
E = TypeVar("E", bound=Failure)

_UNUSED_KEY: Final = Key("unused")
"""Key of the best-effort writes of a rerun, which are not made."""

_Mistake: TypeAlias = (
    Result[Any, Any]
    | Parallel[Any, *tuple[Any, ...]]
    | Callable[..., Any]
    | Coroutine[Any, Any, Any]
    | Iterable[Any]
    | int
    | None
)
_CallOrMistake: TypeAlias = Call[Any, E] | _Mistake
_CallOrWrite: TypeAlias = Call[Any, E] | Write[Any, Any]
_StepOrMistake: TypeAlias = CommitStep[Any, E] | _Mistake


@final
class WriteOutsideCommit:
    """Mistake: a `Write` is an argument of a stage, but only a commit can make it."""


@final
class WrongStageArgument:
    """Mistake: a stage needs a name, then calls; `policy` is a `Policy`. A list of calls is for `Run.each`."""


@final
class RunWithoutAggregate:
    """Mistake: the run does not promise `Aggregate`, but several calls of a stage can fail."""


@final
class WrongCommitArgument:
    """Mistake: a commit needs a name, then writes and calls; `policy` is a `CommitPolicy`."""


@final
class RunWithoutStuck:
    """Mistake: the run does not promise all of `Stuck`, `Aggregate` and `Unavailable`, as a commit needs."""


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
    @overload
    async def stage(self: "Run[Aggregate]", name: str, a: Call[A, E_contra], /, *calls: Call[A, E_contra], policy: Policy = SETTLE) -> tuple[A, ...]: ...
    # The remaining overloads match mistakes. What they return cannot be awaited: the type checkers name its
    # class, which mypy would otherwise follow by 6 kB of overloads. They have no `*calls`, since pyright would
    # match them with `*calls` of a list too.
    @overload
    def stage(self: "Run[Aggregate]", name: str, a: _CallOrWrite[E_contra], b: _CallOrWrite[E_contra] = ..., c: _CallOrWrite[E_contra] = ..., d: _CallOrWrite[E_contra] = ..., g: _CallOrWrite[E_contra] = ..., h: _CallOrWrite[E_contra] = ..., j: _CallOrWrite[E_contra] = ..., k: _CallOrWrite[E_contra] = ..., m: _CallOrWrite[E_contra] = ..., /, *, policy: Policy = SETTLE) -> WriteOutsideCommit: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def stage(self: "Run[Aggregate]", name: str | Call[Any, Any], a: _CallOrMistake[E_contra] = ..., b: _CallOrMistake[E_contra] = ..., c: _CallOrMistake[E_contra] = ..., d: _CallOrMistake[E_contra] = ..., g: _CallOrMistake[E_contra] = ..., h: _CallOrMistake[E_contra] = ..., j: _CallOrMistake[E_contra] = ..., k: _CallOrMistake[E_contra] = ..., m: _CallOrMistake[E_contra] = ..., /, *, policy: Policy | CommitPolicy = SETTLE) -> WrongStageArgument: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def stage(self, name: str, a: Call[Any, E_contra], b: Call[Any, E_contra] = ..., c: Call[Any, E_contra] = ..., d: Call[Any, E_contra] = ..., g: Call[Any, E_contra] = ..., h: Call[Any, E_contra] = ..., j: Call[Any, E_contra] = ..., k: Call[Any, E_contra] = ..., m: Call[Any, E_contra] = ..., /, *, policy: Policy = SETTLE) -> RunWithoutAggregate: ...
    # fmt: on
    def stage(self, name: Any, /, *calls: Any, policy: Any = SETTLE) -> Any:
        """Make all *calls* at once; return their values in argument order, or exit the run.

        No call outlives the stage. See `Policy` for the effect of a failed call, and `run_stage` for
        exceptions and cancellation. After a commit the calls must be optional, and may be best-effort writes;
        before the first of these stages, the journal seals the commit (`Journal.seal`).
        """
        return self._run_stage(name, calls, policy)

    async def each(
        self: "Run[Aggregate]",
        name: str,
        calls: Iterable[Call[T, E_contra]],
        /,
        *,
        at_once: int = 10,
        policy: Policy = SETTLE,
    ) -> list[T]:
        """Make the *calls*, one for each item of a list; return their values in item order, or exit the run.

        This is a stage of any number of calls, also none. They start in order, at most *at_once* run at the
        same time, and with `FAIL_FAST` none starts after a failure. Failures are combined in item order, and
        each has the position of its item, from 0, as its `item`. Raises `ValueError` if *at_once* is not a
        positive integer.
        """
        if isinstance(at_once, bool) or not isinstance(cast("object", at_once), int) or at_once < 1:
            msg = f"at_once must be a positive integer, got {at_once!r}"
            raise ValueError(msg)
        return [*await self._run_stage(name, tuple(calls), policy, at_once)]

    async def _run_stage(
        self, name: str, calls: tuple[Call[T, Any], ...], policy: Policy, at_once: int | None = None
    ) -> tuple[T, ...]:
        state = self._state
        state.open_stage(name)
        try:
            result: Result[tuple[T, ...], Failure] | None = None
            if state.replay is not None:
                result = state.replay.take(name, calls)
            if result is None:
                prepared = _prepare_calls(state, name, calls)
                if state.has_committed and not state.is_sealed:
                    await _seal(state)
                result = await run_stage(name, prepared, policy, at_once)
        finally:
            state.stage = None
        state.past.append((name, calls, result))
        return state.unwrap(result)

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
    @overload
    async def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str, a: CommitStep[A, E_contra], /, *steps: CommitStep[A, E_contra], policy: CommitPolicy = SEQUENTIAL) -> tuple[A, ...]: ...
    # As for a stage, the remaining overloads match mistakes.
    @overload
    def commit(self: "Run[Aggregate | Stuck | Unavailable]", name: str | CommitStep[Any, Any], a: _StepOrMistake[E_contra] = ..., b: _StepOrMistake[E_contra] = ..., c: _StepOrMistake[E_contra] = ..., d: _StepOrMistake[E_contra] = ..., g: _StepOrMistake[E_contra] = ..., h: _StepOrMistake[E_contra] = ..., j: _StepOrMistake[E_contra] = ..., k: _StepOrMistake[E_contra] = ..., m: _StepOrMistake[E_contra] = ..., /, *, policy: Policy | CommitPolicy = SEQUENTIAL) -> WrongCommitArgument: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def commit(self, name: str, a: CommitStep[Any, E_contra], b: CommitStep[Any, E_contra] = ..., c: CommitStep[Any, E_contra] = ..., d: CommitStep[Any, E_contra] = ..., g: CommitStep[Any, E_contra] = ..., h: CommitStep[Any, E_contra] = ..., j: CommitStep[Any, E_contra] = ..., k: CommitStep[Any, E_contra] = ..., m: CommitStep[Any, E_contra] = ..., /, *, policy: CommitPolicy = SEQUENTIAL) -> RunWithoutStuck: ...
    # fmt: on
    def commit(self, name: Any, /, *steps: Any, policy: Any = SEQUENTIAL) -> Any:
        """Make *steps*, which are writes and reads; return all values, or undo the writes and exit the run.

        Nothing is sent if less than `CommitTerms.reserve` seconds are left until the deadline, or if the
        journal is unavailable: the run exits with `Unavailable`. Nothing is sent either if `RunContext.gate`
        denies the commit, because the request is gone: `asyncio.CancelledError` is raised. Once the commit
        has begun, neither the deadline nor a cancellation cuts it short, and the stages after the commit have
        no deadline. The run exits with `Stuck` if a write could not be undone. See `gateway.railway.commit`
        for the rest.
        """
        return self._run_commit(name, steps, policy)

    async def _run_commit(
        self, name: str, steps: tuple[CommitStep[T, Any], ...], policy: CommitPolicy
    ) -> tuple[T, ...]:
        state = self._state
        state.open_stage(name)
        try:
            state.check_before_commit(f"commit {name!r} follows another commit: a run has at most one commit")
            if state.is_nested:
                msg = f"commit {name!r} is in a nested run, and the outer run could still fail: commit there"
                raise RunMisused(msg)
            _check_steps(name, steps)
            check_policy(policy, CommitPolicy)
            result = await _make_commit(state, name, steps, policy)
        finally:
            state.stage = None
        state.past.append((name, steps, result))
        change_context(deadline=None)
        return state.unwrap(result)


async def _make_commit(
    state: RunState, name: str, steps: Sequence[CommitStep[T, Any]], policy: CommitPolicy
) -> Result[tuple[T, ...], Failure]:
    if state.replay is not None:
        state.has_committed = state.is_sealed = True
        result = state.replay.take(name, steps)
        return Err(Unavailable("The commit was not made", was_sent=False)) if result is None else result
    if time_left() < current_context().commit_terms.reserve:
        return Err(Unavailable("There is too little time left to begin the commit", was_sent=False))
    state.has_committed = True
    intents = build_intents(state.key_prefix, name, steps)
    return await commit(CommitStart(state.execution_id, state.pipeline, name, intents), steps, policy)


async def _seal(state: RunState) -> None:
    """Let the journal record the commit and the answer so far, since the run is about to do more."""
    await current_context().journal.seal(state.execution_id, state.build_rerun())
    state.is_sealed = True


def _prepare_calls(
    state: RunState, stage: str, calls: Sequence[CommitStep[Any, Any]]
) -> Sequence[Call[Any, Any]]:
    """Return the calls that *stage* makes: *calls*, with idempotency keys for the best-effort writes.

    Raise `RunMisused` if the stage may not make all of them.
    """
    prepared: list[Call[Any, Any]] = []
    for call in calls:
        if not isinstance(call, Call):
            raise RunMisused(
                _describe_wrong_argument(f"stage {stage!r}", call, "use `each` for a list of calls")
            )
        if call.with_key is not None and not state.has_committed:
            msg = (
                f"{call.name} in stage {stage!r} is a best-effort write: make it in a stage after the commit"
            )
            raise RunMisused(msg)
        prepared.append(call)
    return [*_prepare_after_commit(state, stage, prepared)] if state.has_committed else prepared


def _describe_wrong_argument(place: str, argument: object, hint: str) -> str:
    """Return the message for an *argument* that *place*, a stage or a commit, cannot make.

    The *hint* is for a list.
    """
    if isinstance(argument, Write):
        return f"{argument.name} in {place} is a write: make it in a commit"
    if isinstance(argument, Ok | Err):
        return f"{place} was given a result: pass the call itself, without awaiting it"
    message = f"{place} was given a {type(argument).__name__}, which is not a call"
    if isinstance(argument, Iterable):
        return f"{message}: {hint}"
    if iscoroutine(argument):
        argument.close()  # it will never be awaited
    return message


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
        if call.with_key is None:
            yield call
        elif state.replay is None:
            yield call.with_key(derive_key(state.key_prefix, numbered, position, call.name))
        else:
            yield call.with_key(_UNUSED_KEY)


def _check_steps(commit: str, steps: Sequence[CommitStep[Any, Any]]) -> None:
    """Raise `RunMisused` unless all are calls or writes, one is a write, and every write can be undone."""
    for step in steps:
        if not isinstance(cast("object", step), Call | Write):
            raise RunMisused(
                _describe_wrong_argument(f"commit {commit!r}", step, "pass its writes as arguments")
            )
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
