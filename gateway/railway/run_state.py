"""How far one run of a pipeline has come, and what it may still do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, NoReturn, TypeAlias, TypeVar, final

from gateway.railway.call import Call
from gateway.railway.context import RUN_CONTEXT
from gateway.railway.errors import Failure
from gateway.railway.journal import Recorded, key_of
from gateway.railway.misused import RunMisused
from gateway.railway.result import Err, Result
from gateway.railway.stage import Leaving
from gateway.railway.write import Step, Write

__all__ = ("RunLeaving", "RunState")

T = TypeVar("T")
E = TypeVar("E", bound=Failure)


class RunLeaving(Leaving):
    """Carries a failure out of its own run."""

    def __init__(self, state: "RunState", error: Failure) -> None:
        super().__init__(error)
        self.state = state
        self.error = error


_Past: TypeAlias = tuple[str, Sequence[Call[Any, Any]], tuple[object, ...]]
"""A stage that has succeeded: its name, its calls, and their values."""


@final
@dataclass(eq=False, slots=True)
class RunState:
    """How far a run of *pipeline* has come."""

    pipeline: str
    is_nested: bool = False
    is_over: bool = False
    is_left: bool = False
    has_committed: bool = False
    stage: str | None = None
    made_up_id: str | None = None
    lacks: tuple[str, ...] = ()
    past: list[_Past] = field(default_factory=list[_Past])

    def unwrap(self, result: Result[T, Failure]) -> T:
        """Give the value of *result*, or leave with its error."""
        self.check()
        if isinstance(result, Err):
            self.leave(result.error)
        self.lacks += result.lacks
        return result.value

    def leave(self, error: Failure) -> NoReturn:
        """Leave the run with *error*."""
        self.check()
        self.is_left = True
        raise RunLeaving(self, error)

    def check(self) -> None:
        """Raise `RunMisused` if the run is over, or was left and has not been stopped."""
        if self.is_over:
            msg = "this run is over"
            raise RunMisused(msg)
        # Two calls of one stage may both leave; neither has been caught yet.
        if self.is_left and self.stage is None:
            msg = "a failure was caught on its way out of this run"
            raise RunMisused(msg)

    @property
    def execution_id(self) -> str:
        """Give what its commit is known by: as it was given, else one that it makes up, once."""
        if (given := RUN_CONTEXT.get().execution_id) is not None:
            return given
        self.made_up_id = self.made_up_id or f"exe-{token_hex(16)}"
        return self.made_up_id

    @property
    def key_prefix(self) -> str:
        """Give what the keys of its writes begin with."""
        return RUN_CONTEXT.get().key_prefix or self.execution_id

    def refuse_to_fail(self, what: str) -> None:
        """Raise `RunMisused` if *what* can make the run fail after its commit has begun."""
        if self.has_committed:
            msg = f"{what} after a commit, which is the point of no return"
            raise RunMisused(msg)

    def begin(self, stage: str) -> None:
        """Open *stage*; raise `RunMisused` while another one is."""
        self.check()
        if self.stage is not None:
            msg = f"stage {stage!r} begins while stage {self.stage!r} of the same run is open"
            raise RunMisused(msg)
        self.stage = stage

    def admitted(self, stage: str, calls: Sequence[Step[T, E]]) -> Sequence[Call[T, E]]:
        """Give *calls* as the stage may make them; raise `RunMisused` if it may not make all of them."""
        made: list[Call[T, E]] = []
        for call in calls:
            if isinstance(call, Write):
                msg = f"{call.name} in stage {stage!r}: a write is made by a commit"
                raise RunMisused(msg)
            if call.keyed is not None and not self.has_committed:
                msg = f"{call.name} in stage {stage!r}: a best-effort write is made after a commit"
                raise RunMisused(msg)
            made.append(call)
        return [*self._unfailing(stage, made)] if self.has_committed else made

    def _unfailing(self, stage: str, calls: Sequence[Call[T, E]]) -> Iterator[Call[T, E]]:
        # Two stages may have the same name, and one that of the commit: their writes are not the same.
        known_as = f"{len(self.past)}-{stage}"
        for place, call in enumerate(calls):
            if not call.is_optional:
                self.refuse_to_fail(f"{call.name}, which can fail, in stage {stage!r}")
            yield call.keyed(key_of(self.key_prefix, known_as, place, call.name)) if call.keyed else call

    @property
    def recorded(self) -> tuple[Recorded, ...]:
        """Give what its stages have come to, for the journal."""
        return tuple(
            Recorded(stage, tuple(call.name for call in calls), values) for stage, calls, values in self.past
        )
