"""Scripted runs and undos of an execution registry."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.executions.memory_journal import MemoryJournal
from gateway.executions.registry import ExecutionRegistry, RunRequest
from gateway.railway import (
    CommitStart,
    CommitState,
    CommitTerms,
    Failure,
    Intent,
    Ok,
    Result,
    RunContext,
    SentWrite,
    Undo,
    UndoAttempt,
    WriteOutcome,
)
from gateway.railway.journal import derive_key

START: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY: Final = 24 * 60 * 60.0
NAMES: Final = ("bank.pay", "shop.ship")


def now() -> float:
    """Return the seconds since the test began."""
    return asyncio.get_running_loop().time()


def clock() -> datetime:
    """Return the time for the journal."""
    return START + timedelta(seconds=now())


def build_intent(execution_id: str, place: int) -> Intent:
    name = NAMES[place]
    return Intent(name, derive_key(execution_id, "settlement", place, name), undo=f"{name}.undo")


def build_commit_start(execution_id: str = "exe-1", *also: Intent) -> CommitStart:
    """Build the start of a commit with two writes, and the intents *also*."""
    intents = (build_intent(execution_id, 0), build_intent(execution_id, 1), *also)
    return CommitStart(execution_id, "transfers", "settlement", intents)


async def begin_commit(executions: ExecutionRegistry[str], start: CommitStart) -> None:
    """Begin a commit as `Run.commit` does."""
    context = executions.prepare_context(RunContext())
    if not context.gate.try_begin(start.execution_id):
        raise asyncio.CancelledError
    try:
        await context.journal.begin(start)
    except BaseException:
        context.gate.revoke(start.execution_id)
        raise


def build_request(
    execution_id: str = "exe-1", *, fingerprint: bytes | None = b"rent", deadline: float | None = None
) -> RunRequest:
    return RunRequest(execution_id, "transfers", fingerprint, deadline)


@dataclass
class ScriptedRegistry:
    """Registry whose undos return or raise *results*, by name; an undo without a result succeeds."""

    undone: list[str] = field(default_factory=list[str])
    sent_writes: list[SentWrite] = field(default_factory=list[SentWrite])
    results: dict[str, Result[object, Failure] | Exception] = field(
        default_factory=dict[str, Result[object, Failure] | Exception]
    )
    may_undo: asyncio.Event = field(default_factory=asyncio.Event)
    records: MemoryJournal = field(default_factory=lambda: MemoryJournal(clock))
    executions: ExecutionRegistry[str] = field(init=False)

    def __post_init__(self) -> None:
        self.may_undo.set()
        undos = [Undo(f"{name}.undo", self._scripted_undo(f"{name}.undo")) for name in NAMES]
        self.executions = ExecutionRegistry(
            self.records, {undo.name: undo for undo in undos}, CommitTerms(), clock
        )

    def build_run(
        self, execution_id: str = "exe-1", answer: str = "paid", *, is_failing: bool = False
    ) -> "ScriptedRun":
        """Build a run that ends at once unless a test makes it wait; if *is_failing*, it makes no commit."""
        return ScriptedRun(self, execution_id, answer, is_failing)

    async def make_stuck(self, execution_id: str = "exe-1", *outcomes: WriteOutcome) -> None:
        """Record a stuck commit with the *outcomes* of its writes, by default all stuck."""
        await self.records.begin(build_commit_start(execution_id))
        for place, outcome in enumerate(outcomes or (WriteOutcome.STUCK, WriteOutcome.STUCK)):
            self.records.note(execution_id, build_intent(execution_id, place).key, outcome)
        self.records.end(execution_id, CommitState.STUCK)

    async def read_outcomes(self, execution_id: str = "exe-1") -> tuple[CommitState, list[str]]:
        """Return the recorded state, and the outcomes of the writes."""
        found = await self.records.find(execution_id)
        assert found is not None
        return found.state, [write.outcome.value for write in found.writes]

    def _scripted_undo(self, name: str) -> UndoAttempt:
        async def attempt(write: SentWrite) -> Result[object, Failure]:
            self.sent_writes.append(write)
            assert write.key.endswith(name.removesuffix(".undo"))
            self.undone.append(name)
            await self.may_undo.wait()
            result = self.results.get(name, Ok(None))
            if isinstance(result, Exception):
                raise result
            return result

        return attempt


@dataclass
class ScriptedRun:
    """Work of a run: waits for its events, and logs its progress."""

    scripted: ScriptedRegistry
    execution_id: str
    answer: str
    is_failing: bool = False
    state: CommitState = CommitState.COMMITTED
    seconds: float = 0.0
    log: list[str] = field(default_factory=list[str])
    may_begin: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_begin.set()
        self.may_end.set()

    async def __call__(self) -> str:
        executions = self.scripted.executions
        self.log.append("started")
        try:
            await self.may_begin.wait()
            if self.is_failing:
                return f"{self.answer} not"
            await begin_commit(executions, build_commit_start(self.execution_id))
            self.log.append("begun")
            self.has_begun.set()
            await self.may_end.wait()
            await asyncio.sleep(self.seconds)
            executions.prepare_context(RunContext()).journal.end(self.execution_id, self.state)
        except asyncio.CancelledError:
            self.log.append("cancelled")
            await asyncio.sleep(1)  # the cleanup takes time
            self.log.append("cleaned up")
            raise
        self.log.append("ended")
        return self.answer


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)
