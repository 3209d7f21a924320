"""State of a run, the exception that exits it, and the error for its misuse."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import NoReturn, Protocol, TypeAlias, TypeVar, cast, final

from gateway.railway.context import current_context
from gateway.railway.errors import Failure
from gateway.railway.journal import StageRecord
from gateway.railway.result import Err, Result

__all__ = ("RunExit", "RunMisused", "RunState")

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


_Past: TypeAlias = tuple[str, Sequence[_Named], tuple[object, ...]]
"""A stage that has succeeded: its name, its calls, and their values."""


@final
@dataclass(eq=False, slots=True)
class RunState:
    """Progress of a run of *pipeline*; the methods check that the run is used correctly."""

    pipeline: str
    is_nested: bool = False
    is_over: bool = False
    is_exiting: bool = False
    has_committed: bool = False
    stage: str | None = None
    generated_id: str | None = None
    lacks: tuple[str, ...] = ()
    past: list[_Past] = field(default_factory=list[_Past])

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
        """Raise `RunMisused` with *message* if the run has begun its commit."""
        if self.has_committed:
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
        if (given := current_context().execution_id) is not None:
            return given
        self.generated_id = self.generated_id or f"exe-{token_hex(16)}"
        return self.generated_id

    @property
    def key_prefix(self) -> str:
        """Return the prefix of the idempotency keys of the run's writes."""
        return current_context().key_prefix or self.execution_id

    @property
    def records(self) -> tuple[StageRecord, ...]:
        """Return a record of each stage so far, for the journal."""
        return tuple(
            StageRecord(stage, tuple(call.name for call in calls), values)
            for stage, calls, values in self.past
        )
