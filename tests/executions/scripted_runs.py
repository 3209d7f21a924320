"""Runs that do what a test tells them to, and undos that say what they were asked."""

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
    Key,
    Ok,
    Result,
    RunContext,
    Undo,
    WriteAttempt,
    WriteOutcome,
)
from gateway.railway.journal import derive_key

START: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY: Final = 24 * 60 * 60.0
NAMES: Final = ("bank.pay", "shop.ship")


def now() -> float:
    """Give the seconds since the test began."""
    return asyncio.get_running_loop().time()


def clock() -> datetime:
    """Give the time for the record."""
    return START + timedelta(seconds=now())


def intent(execution_id: str, place: int) -> Intent:
    name = NAMES[place]
    return Intent(name, derive_key(execution_id, "settlement", place, name), undo=f"{name}.undo")


def beginning(execution_id: str = "exe-1", *also: Intent) -> CommitStart:
    """Describe a commit of two writes, and what is there *also*."""
    intents = (intent(execution_id, 0), intent(execution_id, 1), *also)
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


def ticket(
    execution_id: str = "exe-1", *, asked: bytes | None = b"rent", deadline: float | None = None
) -> RunRequest:
    return RunRequest(execution_id, "transfers", asked, deadline)


@dataclass
class World:
    """The runs, and what their undos come to: all is well unless a test says otherwise."""

    undone: list[str] = field(default_factory=list[str])
    results: dict[str, Result[object, Failure] | Exception] = field(
        default_factory=dict[str, Result[object, Failure] | Exception]
    )
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    records: MemoryJournal = field(default_factory=lambda: MemoryJournal(clock))
    executions: ExecutionRegistry[str] = field(init=False)

    def __post_init__(self) -> None:
        self.goes_on.set()
        undos = [Undo(f"{name}.undo", self._undoing(f"{name}.undo")) for name in NAMES]
        self.executions = ExecutionRegistry(
            self.records, {undo.name: undo for undo in undos}, CommitTerms(), clock
        )

    def run(self, execution_id: str = "exe-1", answer: str = "paid", *, fails: bool = False) -> "Led":
        """Give a run that is over at once, unless it is told to wait; one that *fails* does not commit."""
        return Led(self, execution_id, answer, fails)

    async def stick(self, execution_id: str = "exe-1", *outcomes: WriteOutcome) -> None:
        """Have the commit of an execution stuck, with these outcomes of its writes."""
        await self.records.begin(beginning(execution_id))
        for place, outcome in enumerate(outcomes or (WriteOutcome.STUCK, WriteOutcome.STUCK)):
            await self.records.note(execution_id, intent(execution_id, place).key, outcome, None)
        await self.records.end(execution_id, CommitState.STUCK)

    async def outcomes(self, execution_id: str = "exe-1") -> tuple[CommitState, list[str]]:
        """Give what is on record."""
        found = await self.records.find(execution_id)
        assert found is not None
        return found.state, [write.outcome.value for write in found.writes]

    def _undoing(self, name: str) -> WriteAttempt[object, Failure]:
        async def attempt(key: Key) -> Result[object, Failure]:
            assert key.endswith(name.removesuffix(".undo"))
            self.undone.append(name)
            await self.goes_on.wait()
            result = self.results.get(name, Ok(None))
            if isinstance(result, Exception):
                raise result
            return result

        return attempt


@dataclass
class Led:
    """The work of one run: it waits for its events, and notes how far it has come."""

    world: World
    execution_id: str
    answer: str
    fails: bool = False
    state: CommitState = CommitState.COMMITTED
    seconds: float = 0.0
    log: list[str] = field(default_factory=list[str])
    begins: asyncio.Event = field(default_factory=asyncio.Event)
    ends: asyncio.Event = field(default_factory=asyncio.Event)
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.begins.set()
        self.ends.set()

    async def __call__(self) -> str:
        executions = self.world.executions
        self.log.append("started")
        try:
            await self.begins.wait()
            if self.fails:
                return f"{self.answer} not"
            await begin_commit(executions, beginning(self.execution_id))
            self.log.append("begun")
            self.has_begun.set()
            await self.ends.wait()
            await asyncio.sleep(self.seconds)
            await executions.prepare_context(RunContext()).journal.end(self.execution_id, self.state)
        except asyncio.CancelledError:
            self.log.append("cancelled")
            await asyncio.sleep(1)  # cleaning up takes its time
            self.log.append("cleaned up")
            raise
        self.log.append("ended")
        return self.answer


async def settled() -> None:
    """Let everything go on that can."""
    for _ in range(10):
        await asyncio.sleep(0)
