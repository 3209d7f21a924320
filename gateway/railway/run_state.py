"""State of one run of a pipeline, the exit from it, and the misuse of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import NoReturn, Protocol, TypeAlias, TypeVar, final

from gateway.railway.context import current_context
from gateway.railway.errors import Failure
from gateway.railway.journal import StageRecord
from gateway.railway.result import Err, Result

__all__ = ("RunExit", "RunMisused", "RunState")

T = TypeVar("T")


class RunMisused(RuntimeError):  # noqa: N818 - named for the bug, not for an error of the caller
    """A bug in a pipeline: it breaks a rule of `Run`.

    The run was used after its end, twice at once, or its exit was caught; or it was given a call that it
    cannot make there: a write in a stage, or a call that can fail after a commit.
    """


@final
class RunExit(BaseException):
    """Carries *error* out of the run of *state*.

    It is no `Exception`, so that no handler of a pipeline catches it by accident. It is no bug either: where
    both are raised, the bug wins.
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
    """Progress of one run of *pipeline*: it may be used only in the order that its checks allow."""

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
        """Note that *stage* begins; raise `RunMisused` while another stage is open."""
        self.check_usable()
        if self.stage is not None:
            msg = f"stage {stage!r} begins while stage {self.stage!r} of the same run is open"
            raise RunMisused(msg)
        self.stage = stage

    def check_usable(self) -> None:
        """Raise `RunMisused` if the run is over, or if its exit was caught."""
        if self.is_over:
            msg = "this run is over"
            raise RunMisused(msg)
        # Two calls of one stage may both exit the run; neither exit has been caught yet.
        if self.is_exiting and self.stage is None:
            msg = "a failure was caught on its way out of this run"
            raise RunMisused(msg)

    def check_before_commit(self, action: str) -> None:
        """Raise `RunMisused` if the run has committed: *action* could make it fail."""
        if self.has_committed:
            msg = f"{action} after a commit, which is the point of no return"
            raise RunMisused(msg)

    def check_finished(self) -> None:
        """Raise `RunMisused` if the pipeline has returned although its exit was caught or a stage is open."""
        if self.is_exiting:
            msg = "a failure was caught on its way out of this run"
            raise RunMisused(msg)
        if self.stage is not None:
            msg = f"the run ended while its stage {self.stage!r} was open"
            raise RunMisused(msg)

    @property
    def execution_id(self) -> str:
        """Return the id of the run's execution: that of its context, else a generated one."""
        if (given := current_context().execution_id) is not None:
            return given
        self.generated_id = self.generated_id or f"exe-{token_hex(16)}"
        return self.generated_id

    @property
    def key_prefix(self) -> str:
        """Return the beginning of the keys of the run's writes."""
        return current_context().key_prefix or self.execution_id

    @property
    def records(self) -> tuple[StageRecord, ...]:
        """Return the values of the stages so far, for the journal."""
        return tuple(
            StageRecord(stage, tuple(call.name for call in calls), values)
            for stage, calls, values in self.past
        )
