"""State of a run, the exception that exits it, and the error for its misuse."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, NoReturn, Protocol, TypeAlias, TypeVar, cast, final

from gateway.railway.errors import Failure
from gateway.railway.journal import Rerun, StageRecord
from gateway.railway.result import Err, Result

__all__ = ("Replay", "RunExit", "RunMisused", "RunState")

T = TypeVar("T")


class RunMisused(RuntimeError):  # noqa: N818 - named for the bug, not for an error of the caller
    """A bug in a pipeline, which breaks a rule of `Run`.

    For example, the pipeline has used the run after its end, has made two stages at once, or has caught the
    exit of the run. Or it has passed a call that is not allowed at that point: a write in a stage, or a call
    that can fail after a commit.
    """


@final
class RunExit(BaseException):
    """Exit from the run of *state* with *error*.

    It is not an `Exception`, so that a pipeline's handlers do not catch it by accident. It is not a bug
    either: if one call of a stage exits the run and another raises a bug, the stage raises the bug.
    """

    def __init__(self, state: "RunState", error: Failure) -> None:
        super().__init__(error)
        self.state = state
        self.error = error


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Past: TypeAlias = tuple[str, Sequence[_Named], Result[tuple[object, ...], Failure]]
"""A stage or commit that has ended: its name, its calls, and its result."""


@final
class Replay:
    """Records of an earlier run, which its rerun takes in order."""

    __slots__ = ("_left",)

    def __init__(self, rerun: Rerun) -> None:
        self._left = deque(rerun.past)

    def take(self, stage: str, calls: Sequence[_Named]) -> Result[tuple[Any, ...], Failure] | None:
        """Return the result of *stage*, which makes *calls*; None if it is not the next one on record.

        After a stage that is not on record, none is: the rerun has passed the end of the records, or it does
        not repeat the earlier run.
        """
        record = self._left.popleft() if self._left else None
        if record is not None and record.stage == stage and record.calls == _list_names(calls):
            return record.result
        self._left.clear()
        return None


@final
@dataclass(eq=False, slots=True)
class RunState:
    """Progress of a run of *pipeline*; the methods check that the run is used correctly.

    - *given_id*, *given_prefix*: execution id and key prefix of the context
    - *task*: task of the run; None once the run is over
    - *past*: stages that have ended, and the commit, in order. A run that another run awaits between its
      stages, in the same task, shares them with the other run.
    - *replay*: records for a rerun; None if the run is no rerun, or its stages are not on record
    """

    pipeline: str
    given_id: str | None = None
    given_prefix: str | None = None
    task: "asyncio.Task[object] | None" = None
    is_nested: bool = False
    is_over: bool = False
    is_exiting: bool = False
    has_committed: bool = False
    is_sealed: bool = False
    stage: str | None = None
    lacks: tuple[str, ...] = ()
    past: list[_Past] = field(default_factory=list[_Past])
    replay: Replay | None = None

    def unwrap(self, result: Result[T, Failure]) -> T:
        """Return the value of *result*, or exit the run with its error."""
        self.check_usable()
        if isinstance(result, Err):
            self.exit_with(result.error)
        self.lacks += result.lacks
        return result.value

    def exit_with(self, error: Failure) -> NoReturn:
        """Raise the `RunExit` that carries *error* out of the run."""
        self.check_usable()
        self.is_exiting = True
        raise RunExit(self, error)

    def open_stage(self, stage: str) -> None:
        """Record that *stage* begins; raise `RunMisused` if another stage is open, or if it has no name."""
        self.check_usable()
        if not isinstance(cast("object", stage), str):
            msg = f"the first argument of a stage or a commit is its name, not a {type(stage).__name__}"
            raise RunMisused(msg)
        if self.stage is not None:
            msg = (
                f"stage {stage!r} begins while stage {self.stage!r} of the same run is open: await that first"
            )
            raise RunMisused(msg)
        self.stage = stage

    def close(self) -> None:
        """End the run, and drop what could be large or make a cycle.

        A task that outlives the run, such as that of a connection, may keep the state in its context, and the
        task of the run may keep an exception whose traceback has the state.
        """
        self.is_over = True
        self.task = None
        self.past = []

    def check_usable(self) -> None:
        """Raise `RunMisused` if the run is over, or if its exit was caught."""
        if self.is_over:
            msg = "this run is over: use it only inside its pipeline"
            raise RunMisused(msg)
        # While a stage is open, two of its calls may both exit the run: neither exit has been caught.
        if self.is_exiting and self.stage is None:
            msg = (
                "this run has failed, and makes no more stages: do not use it in `finally`, or after catching"
                " BaseException"
            )
            raise RunMisused(msg)

    def check_before_commit(self, message: str) -> None:
        """Raise `RunMisused` with *message* if the run has begun its commit.

        A rerun can fail after the commit, since its calls are not made.
        """
        if self.has_committed and self.replay is None:
            raise RunMisused(message)

    def check_finished(self) -> None:
        """Raise `RunMisused` if the pipeline has caught the exit, or has returned while a stage is open."""
        if self.is_exiting:
            msg = "a failure was caught on its way out of this run: do not catch BaseException in a pipeline"
            raise RunMisused(msg)
        if self.stage is not None:
            msg = f"the run ended while its stage {self.stage!r} was open: await every stage"
            raise RunMisused(msg)

    @property
    def execution_id(self) -> str:
        """Return the execution id from the context, or else an id that is generated once per run."""
        if self.given_id is None:
            self.given_id = f"exe-{token_hex(16)}"
        return self.given_id

    @property
    def key_prefix(self) -> str:
        """Return the prefix of the idempotency keys of the run's writes."""
        return self.given_prefix or self.execution_id

    @property
    def is_between_stages(self) -> bool:
        """Return True in the task of the run: the calls of a stage or a commit have tasks of their own."""
        return self.task is not None and self.task is asyncio.current_task()

    def build_rerun(self) -> Rerun:
        """Return a record of each stage so far, and of the commit."""
        return Rerun(
            tuple(StageRecord(stage, _list_names(calls), result) for stage, calls, result in self.past)
        )


def _list_names(calls: Sequence[_Named]) -> tuple[str, ...]:
    return tuple(call.name for call in calls)
