"""Bank with scripted replies to writes and undos, its recording journal, and a gate."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from typing_extensions import override

from gateway.railway import (
    SEQUENTIAL,
    CommitGate,
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
    Rerun,
    Result,
    Run,
    RunContext,
    SentWrite,
    TimedOut,
    Unavailable,
    Undo,
    Write,
    WriteAttempt,
    WriteOutcome,
    railway,
    time_left,
)
from tests.railway.scripted_calls import FINE, FOREVER, Answer, Services

LATE: Final = Err(TimedOut("late"))
BUSY: Final = Err(Unavailable("busy"))
UNREACHED: Final = Err(Unavailable("unreached", was_sent=False))

Values: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Reply:
    """Reply to an attempt: *answer* is returned or raised after *after* seconds.

    The bank executes the attempt *lands* seconds after it was sent; if *lands* is None, at a reply with `Ok`.
    An attempt whose deadline comes before its reply returns `LATE` at the deadline, unless *after* is
    `FOREVER`.
    """

    answer: Answer | BaseException | type[BaseException] = FINE
    after: float = 0
    lands: float | None = None


ReplyLike: TypeAlias = Answer | BaseException | Reply
"""A reply, or its answer alone."""


@dataclass
class Ledger:
    """State of the bank, which executes each key at most once, and never after its undo.

    *standing* are the executed keys that are not undone, *tombstones* the undone keys, executed or not, and
    *counts* are the executions of each key.
    """

    standing: set[Key] = field(default_factory=set[Key])
    tombstones: set[Key] = field(default_factory=set[Key])
    counts: dict[Key, int] = field(default_factory=dict[Key, int])

    def write(self, key: Key) -> bool:
        """Execute the write unless it was executed or undone before; return True if it is not undone."""
        if key not in self.standing | self.tombstones:
            self.standing.add(key)
            self.counts[key] = self.counts.get(key, 0) + 1
        return key in self.standing

    def undo(self, key: Key) -> None:
        """Undo the write, and leave a tombstone, so that a write that arrives later has no effect."""
        self.standing.discard(key)
        self.tombstones.add(key)


@dataclass
class RecordingJournal(Journal):
    """Journal that logs a line for each record, or raises the exception that *bugs* has for the line."""

    log: list[str]
    bugs: dict[str, BaseException] = field(default_factory=dict[str, BaseException])
    starts: list[CommitStart] = field(default_factory=list[CommitStart])
    outcomes: dict[Key, WriteOutcome] = field(default_factory=dict[Key, WriteOutcome])
    reruns: list[Rerun] = field(default_factory=list[Rerun])
    ends: list[tuple[str, CommitState]] = field(default_factory=list[tuple[str, CommitState]])

    @override
    async def begin(self, commit: CommitStart, /) -> None:
        self._write(f"begin {commit.name}")
        self.starts.append(commit)

    @override
    def note(self, execution_id: str, key: Key, outcome: WriteOutcome, /) -> None:
        name = next(intent.name for intent in self.starts[-1].intents if intent.key == key)
        self._write(f"{name} is {outcome.value}")
        self.outcomes[key] = outcome

    @override
    def end(self, execution_id: str, state: CommitState, /) -> None:
        self._write(f"end {state.value}")
        self.ends.append((execution_id, state))

    @override
    async def seal(self, execution_id: str, rerun: Rerun, /) -> None:
        self._write(f"seal {execution_id}")
        self.reruns.append(rerun)

    def _write(self, line: str) -> None:
        if line in self.bugs:
            raise self.bugs[line]
        self.log.append(line)


@dataclass
class Gate(CommitGate):
    """Gate that logs its calls, and lets commits begin while *is_open* is True."""

    log: list[str]
    is_open: bool = True

    @override
    def try_begin(self, execution_id: str, /) -> bool:
        self.log.append(f"{execution_id} at the gate")
        return self.is_open

    @override
    def revoke(self, execution_id: str, /) -> None:
        self.log.append(f"{execution_id} revoked")


@dataclass
class Bank(Services):
    """Fake service that executes writes; it shares its log with its journal, to show the order of events."""

    ledger: Ledger = field(default_factory=Ledger)
    keys: dict[str, list[Key]] = field(default_factory=dict[str, list[Key]])
    sent_writes: list[SentWrite] = field(default_factory=list[SentWrite])
    journal: RecordingJournal = field(init=False)

    def __post_init__(self) -> None:
        self.journal = RecordingJournal(self.log)

    def write(self, name: str, *replies: ReplyLike, undos: Sequence[ReplyLike] = ()) -> Write[int, Failure]:
        """Build a write that gets *replies* in turn, and its undo, which gets *undos*.

        The last reply repeats; without replies, every attempt gets `FINE`.
        """
        undo = self._attempt(f"{name}.undo", undos, self.ledger.undo)

        def undo_write(write: SentWrite) -> Coroutine[Any, Any, Answer]:
            self.sent_writes.append(write)
            return undo(write.key)

        attempt = self._attempt(name, replies, self.ledger.write)
        return Write(name, attempt, Undo(f"{name}.undo", undo_write))

    def commit(
        self,
        *steps: CommitStep[int, Failure],
        policy: CommitPolicy = SEQUENTIAL,
        deadline: float | None = None,
    ) -> Awaitable[Result[Values, Failure]]:
        """Run a pipeline of a single commit of *steps*."""
        return payment.on(self.build_context(deadline=deadline))(*steps, policy=policy)

    def build_context(self, *, deadline: float | None = None) -> RunContext:
        """Return the context of a run that commits with the bank's journal."""
        terms = CommitTerms(reserve=0.5, budget=10, undo_budget=30)
        return RunContext(deadline=deadline, execution_id="exe-1", commit_terms=terms, journal=self.journal)

    def run(self, body: Callable[[Run[Failure]], Awaitable[object]]) -> Awaitable[Result[object, Failure]]:
        """Run *body* as a pipeline."""
        pipeline: Pipeline[[], object, Failure] = railway(body)
        return pipeline.on(self.build_context())()

    async def wait(self, seconds: float) -> None:
        """Wait *seconds*, so that late writes can reach the bank."""
        await asyncio.sleep(seconds)

    def _attempt(
        self, name: str, replies: Sequence[ReplyLike], land: Callable[[Key], object]
    ) -> WriteAttempt[int, Failure]:
        plan = [reply if isinstance(reply, Reply) else Reply(reply) for reply in replies or (FINE,)]

        async def attempt(key: Key) -> Answer:
            keys = self.keys.setdefault(name, [])
            reply = plan[min(len(keys), len(plan) - 1)]
            keys.append(key)
            self.log.append(f"{name} sent")
            self.record_mode(name)
            if reply.lands is not None:
                asyncio.get_running_loop().call_later(reply.lands, land, key)
            if FOREVER > reply.after > time_left():
                await asyncio.sleep(time_left())
                return LATE
            await asyncio.sleep(reply.after)
            if not isinstance(reply.answer, Ok | Err):
                raise reply.answer
            if reply.lands is None and isinstance(reply.answer, Ok):
                land(key)
            return reply.answer

        return attempt


@railway
async def payment(
    run: Run[Failure], *steps: CommitStep[int, Failure], policy: CommitPolicy = SEQUENTIAL
) -> Values:
    """Run a single commit of *steps*."""
    return await run.commit("settlement", *steps, policy=policy)
