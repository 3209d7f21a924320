"""A bank that does what it is told with what is written to it, and a journal that says what it heard."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast

from typing_extensions import override

from gateway.railway import (
    SEQUENTIAL,
    CommitPolicy,
    CommitStart,
    CommitState,
    CommitStep,
    CommitTerms,
    Err,
    Failure,
    Journal,
    Key,
    Ok,
    Pipeline,
    Result,
    Run,
    RunContext,
    TimedOut,
    Unavailable,
    Undo,
    Write,
    WriteAttempt,
    WriteOutcome,
    railway,
    time_left,
)
from tests.railway.scripted_calls import FINE, FOREVER, Answer, World

LATE: Final = Err(TimedOut("late"))
BUSY: Final = Err(Unavailable("busy"))
UNREACHED: Final = Err(Unavailable("unreached", was_sent=False))

Values: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Told:
    """What one attempt comes to *after* so many seconds; it *lands* with the service after so many.

    By default it lands with an answer that is fine, and with no other. It keeps to the deadline it is given,
    unless it takes `FOREVER`.
    """

    answer: Answer | BaseException | type[BaseException] = FINE
    after: float = 0
    lands: float | None = None


Telling: TypeAlias = Answer | BaseException | Told


@dataclass
class Ledger:
    """What a service has done: each key once, and never after its undo."""

    standing: set[Key] = field(default_factory=set[Key])
    marks: set[Key] = field(default_factory=set[Key])
    times: dict[Key, int] = field(default_factory=dict[Key, int])

    def write(self, key: Key) -> bool:
        """Make the write, if it has been neither made nor undone; say whether it stands."""
        if key not in self.standing | self.marks:
            self.standing.add(key)
            self.times[key] = self.times.get(key, 0) + 1
        return key in self.standing

    def undo(self, key: Key) -> None:
        """Take the write back, and leave a mark."""
        self.standing.discard(key)
        self.marks.add(key)


@dataclass
class Diary(Journal):
    """Writes down all it hears; it raises *bugs* instead, where there is one for what it would write."""

    log: list[str]
    bugs: dict[str, BaseException] = field(default_factory=dict[str, BaseException])
    begun: list[CommitStart] = field(default_factory=list[CommitStart])
    outcomes: dict[Key, WriteOutcome] = field(default_factory=dict[Key, WriteOutcome])
    values: dict[str, object] = field(default_factory=dict[str, object])
    ends: list[tuple[str, CommitState]] = field(default_factory=list[tuple[str, CommitState]])

    @override
    async def begin(self, commit: CommitStart, /) -> None:
        self._write(f"begin {commit.name}")
        self.begun.append(commit)

    @override
    async def note(self, execution_id: str, key: Key, outcome: WriteOutcome, value: object, /) -> None:
        name = next(intent.name for intent in self.begun[-1].intents if intent.key == key)
        self._write(f"{name} is {outcome.value}")
        self.outcomes[key] = outcome
        self.values[name] = value

    @override
    async def end(self, execution_id: str, state: CommitState, /) -> None:
        self._write(f"end {state.value}")
        self.ends.append((execution_id, state))

    def _write(self, line: str) -> None:
        if line in self.bugs:
            raise self.bugs[line]
        self.log.append(line)


@dataclass
class Bank(World):
    """Takes writes, and has the journal write into its own log, so that the order of all is seen."""

    ledger: Ledger = field(default_factory=Ledger)
    keys: dict[str, list[Key]] = field(default_factory=dict[str, list[Key]])
    journal: Diary = field(init=False)

    def __post_init__(self) -> None:
        self.journal = Diary(self.log)

    def write(self, name: str, *told: Telling, undone: Sequence[Telling] = ()) -> Write[int, Failure]:
        """Describe a write whose attempts come to what is *told*, then the last; its undo likewise."""
        undo = Undo(f"{name}.undo", self._attempt(f"{name}.undo", undone, self.ledger.undo))
        return Write(name, self._attempt(name, told, self.ledger.write), {"to": name}, undo)

    def commit(
        self,
        *steps: CommitStep[int, Failure],
        policy: CommitPolicy = SEQUENTIAL,
        deadline: float | None = None,
    ) -> Awaitable[Result[Values, Failure]]:
        """Run a pipeline of this commit and nothing else."""
        return committing.on(self.around(deadline=deadline))(*steps, policy=policy)

    def around(self, *, deadline: float | None = None) -> RunContext:
        """Give the context of a run that commits with the bank's own journal."""
        terms = CommitTerms(reserve=0.5, budget=10, undo_budget=30)
        return RunContext(deadline=deadline, execution_id="exe-1", commit_terms=terms, journal=self.journal)

    def made(self, body: Callable[[Run[Failure]], Awaitable[object]]) -> Awaitable[Result[object, Failure]]:
        """Run *body* as a pipeline."""
        pipeline: Pipeline[[], object, Failure] = railway(body)
        return pipeline.on(self.around())()

    async def passing(self, seconds: float) -> None:
        """Let the time pass in which what is on its way lands."""
        await asyncio.sleep(seconds)

    def _attempt(
        self, name: str, tellings: Sequence[Telling], land: Callable[[Key], object]
    ) -> WriteAttempt[int, Failure]:
        plan = [one if isinstance(one, Told) else Told(one) for one in tellings or (FINE,)]

        async def attempt(key: Key) -> Answer:
            keys = self.keys.setdefault(name, [])
            told = plan[min(len(keys), len(plan) - 1)]
            keys.append(key)
            self.log.append(f"{name} sent")
            self.note_effort(name)
            if told.lands is not None:
                asyncio.get_running_loop().call_later(told.lands, land, key)
            if FOREVER > told.after > time_left():
                await asyncio.sleep(time_left())
                return LATE
            await asyncio.sleep(told.after)
            if not isinstance(told.answer, Ok | Err):
                raise told.answer
            if told.lands is None and isinstance(told.answer, Ok):
                land(key)
            return told.answer

        return attempt


@railway
async def committing(
    run: Run[Failure], *steps: CommitStep[int, Failure], policy: CommitPolicy = SEQUENTIAL
) -> Values:
    """Make a commit, and nothing else."""
    return cast("Values", await run.commit("settlement", *steps, policy=policy))
