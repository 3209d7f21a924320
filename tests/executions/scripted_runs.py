"""Scripted runs and undos of a process with an execution registry, in front of a scripted database."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final

from gateway.executions.answer import Answer
from gateway.executions.execution import ExecutedWrite
from gateway.executions.health import JournalHealth, StorageLimit
from gateway.executions.record import Record
from gateway.executions.recovery import Recovery
from gateway.executions.registry import ExecutionRegistry, NoAnswerReason, RunAnswer
from gateway.executions.run import RunRequest, Work
from gateway.executions.store import Attempt, ExecutionStore
from gateway.railway import (
    CommitStart,
    CommitState,
    CommitTerms,
    Failure,
    Intent,
    JournalUnavailableError,
    Ok,
    Result,
    RunContext,
    SentWrite,
    Undo,
    UndoAttempt,
    WriteOutcome,
)
from gateway.railway.journal import derive_key
from tests.executions.scripted_database import ScriptedDatabase

DAY: Final = 24 * 60 * 60.0
NAMES: Final = ("bank.pay", "shop.ship")
REFUSED: Final = Answer(503, {}, b"refused")


def now() -> float:
    """Return the seconds since the test began."""
    return asyncio.get_running_loop().time()


def build_intent(execution_id: str, place: int) -> Intent:
    name = NAMES[place]
    return Intent(name, derive_key(execution_id, "settlement", place, name), undo=f"{name}.undo")


def build_commit_start(execution_id: str = "exe-1", *also: Intent) -> CommitStart:
    """Build the start of a commit with two writes, and the intents *also*."""
    intents = (build_intent(execution_id, 0), build_intent(execution_id, 1), *also)
    return CommitStart(execution_id, "transfers", "settlement", intents)


def build_writes(execution_id: str = "exe-1", *outcomes: WriteOutcome) -> Sequence[ExecutedWrite]:
    """Build the two writes of an execution, by default pending."""
    outcomes = outcomes or (WriteOutcome.PENDING, WriteOutcome.PENDING)
    return [
        ExecutedWrite(build_intent(execution_id, place), outcome) for place, outcome in enumerate(outcomes)
    ]


def build_attempt(
    execution_id: str = "exe-1",
    number: int = 1,
    *,
    caller: str = "alice",
    fingerprint: bytes | None = b"rent",
) -> Attempt:
    return Attempt(execution_id, "transfers", number, caller, fingerprint)


async def begin_commit(context: RunContext, start: CommitStart) -> None:
    """Begin a commit as `Run.commit` does."""
    if not context.gate.try_begin(start.execution_id):
        raise asyncio.CancelledError
    try:
        await context.journal.begin(start)
    except BaseException:
        context.gate.revoke(start.execution_id)
        raise


def build_request(
    execution_id: str = "exe-1",
    *,
    fingerprint: bytes | None = b"rent",
    deadline: float | None = None,
    caller: bytes = b"alice",
    pause: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> RunRequest:
    context = RunContext(deadline=deadline)
    return RunRequest(execution_id, "transfers", fingerprint, context, caller, pause)


def build_answer(body: str = "paid", status: int = 201) -> RunAnswer:
    return RunAnswer(Answer(status, {}, body.encode()), is_replayed=False)


def build_replay(body: str = "paid", status: int = 201) -> RunAnswer:
    return RunAnswer(Answer(status, {}, body.encode()), is_replayed=True)


@dataclass
class ScriptedRegistry:
    """Registry of a process whose undos return or raise *results*, by name.

    An undo without a result succeeds. Processes with the same *database* share its journal.
    """

    database: ScriptedDatabase = field(default_factory=ScriptedDatabase)
    names: Sequence[str] = NAMES
    max_bytes: int = 1_000_000
    undone: list[str] = field(default_factory=list[str])
    sent_writes: list[SentWrite] = field(default_factory=list[SentWrite])
    results: dict[str, Result[object, Failure] | Exception] = field(
        default_factory=dict[str, Result[object, Failure] | Exception]
    )
    may_undo: asyncio.Event = field(default_factory=asyncio.Event)
    undos: Mapping[str, Undo] = field(init=False)
    store: ExecutionStore = field(init=False)
    health: JournalHealth = field(init=False)
    executions: ExecutionRegistry = field(init=False)
    recovery: Recovery = field(init=False)

    def __post_init__(self) -> None:
        self.may_undo.set()
        undos = [Undo(f"{name}.undo", self._scripted_undo(f"{name}.undo")) for name in self.names]
        self.undos = {undo.name: undo for undo in undos}
        self.store = ExecutionStore(self.database, "bank")
        self.health = JournalHealth(StorageLimit(self.max_bytes))
        self.executions = ExecutionRegistry(self.store, self.undos, CommitTerms(), self.health)
        self.recovery = Recovery(self.store, self.undos, 30.0, self.health, self.executions)

    async def start_process(self, names: Sequence[str] = NAMES) -> "ScriptedRegistry":
        """Start another process with the same journal, which knows the undos of *names*."""
        other = ScriptedRegistry(self.database, names)
        await other.store.open()
        return other

    async def tick(self) -> None:
        """Send a heartbeat, and look for executions to recover."""
        await self.recovery.send_heartbeat()
        await self.recovery.look()

    def build_run(
        self, execution_id: str = "exe-1", answer: str = "paid", *, is_failing: bool = False
    ) -> "ScriptedRun":
        """Build a run that ends at once unless a test makes it wait; if *is_failing*, it makes no commit."""
        return ScriptedRun(execution_id, answer, is_failing)

    async def run(
        self, work: Work, execution_id: str = "exe-1", deadline: float | None = None
    ) -> RunAnswer | NoAnswerReason:
        """Run *work* for a request."""
        return await self.executions.run(build_request(execution_id, deadline=deadline), work)

    async def make_running(self, execution_id: str = "exe-1") -> None:
        """Begin an execution that no run of this process has."""
        assert await self.store.begin(build_attempt(execution_id), build_writes(execution_id))

    async def make_stuck(self, execution_id: str = "exe-1", *outcomes: WriteOutcome) -> None:
        """Record a stuck commit with the *outcomes* of its writes, by default all stuck."""
        await self.make_running(execution_id)
        writes = build_writes(execution_id, *outcomes or (WriteOutcome.STUCK, WriteOutcome.STUCK))
        stuck = Answer(500, {}, b"stuck")
        assert await self.store.settle(build_attempt(execution_id), CommitState.STUCK, writes, stuck)

    async def find(self, execution_id: str = "exe-1") -> Record:
        """Return the record of an execution."""
        record = await self.store.find(execution_id)
        assert record is not None
        return record

    async def read_outcomes(self, execution_id: str = "exe-1") -> tuple[CommitState, list[str]]:
        """Return the recorded state, and the outcomes of the writes."""
        found = (await self.find(execution_id)).execution
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
    """Work of a run: waits for its events, and logs its progress; its commit ends in *state*."""

    execution_id: str
    answer: str
    is_failing: bool = False
    status: int = 201
    state: CommitState | None = CommitState.COMMITTED
    seconds: float = 0.0
    log: list[str] = field(default_factory=list[str])
    contexts: list[RunContext] = field(default_factory=list[RunContext])
    may_begin: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_begin.set()
        self.may_end.set()

    async def __call__(self, context: RunContext) -> Answer:
        self.contexts.append(context)
        self.log.append("started")
        try:
            await self.may_begin.wait()
            if self.is_failing:
                return Answer(404, {}, f"{self.answer} not".encode())
            await begin_commit(context, build_commit_start(self.execution_id))
            self.log.append("begun")
            self.has_begun.set()
            await self.may_end.wait()
            await asyncio.sleep(self.seconds)
            if self.state is not None:
                context.journal.end(self.execution_id, self.state)
        except JournalUnavailableError:
            self.log.append("refused")
            return REFUSED
        except asyncio.CancelledError:
            self.log.append("cancelled")
            await asyncio.sleep(1)  # the cleanup takes time
            self.log.append("cleaned up")
            raise
        self.log.append("ended")
        return Answer(self.status, {}, self.answer.encode())


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(50):
        await asyncio.sleep(0)
