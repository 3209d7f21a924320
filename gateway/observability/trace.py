"""Trace of one request: its stages, calls and attempts, with their times and outcomes."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias, final

from typing_extensions import override

from gateway.observability.outcome import Outcome, classify
from gateway.railway import (
    AttemptEnd,
    AttemptSpan,
    CallKind,
    CallOutcome,
    CallSpan,
    CommitPolicy,
    Err,
    Key,
    Observer,
    Ok,
    RejectedBy,
    StageSpan,
)

__all__ = ("Trace", "TracedAttempt", "TracedCall", "TracedStage")

Interval: TypeAlias = tuple[float, float]


@final
@dataclass(slots=True)
class TracedAttempt:
    """Attempt of a call.

    *start*, *sent* and *end* are in seconds on the clock of the trace. Between *start* and *sent*, the
    attempt waited for the concurrency limit. *sent* is None if it has not been sent, *end* while it runs.
    """

    number: int
    start: float
    sent: float | None = None
    end: float | None = None
    result: AttemptEnd | None = None

    @property
    def outcome(self) -> Outcome:
        """Return the outcome of the attempt."""
        return classify(self.result)


@final
@dataclass(slots=True)
class TracedStage:
    """Stage, or commit, of a trace, with the names of its calls; *end* is None while it runs."""

    name: str
    is_commit: bool
    names: tuple[str, ...]
    start: float
    end: float | None = None
    result: CallOutcome | None = None


@final
@dataclass(slots=True)
class TracedCall:
    """Call in a trace; the repeats of a write or of an undo in a commit are one call.

    *start* and *end* are in seconds on the clock of the trace. *end* and *result* are None while the call
    runs. *undo* is the undo of a write, if it was made.
    """

    name: str
    kind: CallKind
    stage: TracedStage | None
    start: float
    end: float | None = None
    result: CallOutcome | None = None
    undo: "TracedCall | None" = None
    attempts: list[TracedAttempt] = field(default_factory=list[TracedAttempt])

    def find_end(self, now: float) -> float:
        """Return the end of the call; *now* while the call runs."""
        return now if self.end is None else self.end

    @property
    def outcome(self) -> Outcome:
        """Return the outcome of the call; that of a write shows whether it has been undone."""
        if self.undo is None or self.undo.outcome is Outcome.RUNNING:
            return classify(self.result)
        return Outcome.UNDONE if self.undo.outcome is Outcome.DONE else Outcome.STUCK

    @property
    def status(self) -> str:
        """Return `running`, `ok`, the code of the failure, `cancelled`, or `bug` for any other exception."""
        match self.result:
            case None:
                return "running"
            case Ok():
                return "ok"
            case Err(error):
                return error.code
            case asyncio.CancelledError():
                return "cancelled"
            case _:
                return "bug"

    @property
    def retries(self) -> int:
        """Return the number of attempts that were sent after the first one of their request."""
        sent = [attempt for attempt in self.attempts if attempt.sent is not None]
        if self.kind is CallKind.READ:  # a read in chunks makes several requests
            return sum(attempt.number > 1 for attempt in sent)
        return max(len(sent) - 1, 0)

    @property
    def rejected_by(self) -> RejectedBy | None:
        """Return the policy that has rejected the last attempt, if any."""
        last = self.attempts[-1].result if self.attempts else None
        return last if isinstance(last, RejectedBy) else None

    def list_waits(self, now: float) -> Sequence[Interval]:
        """Return the intervals in which no attempt was in progress: waits for a slot, and pauses."""
        busy = [
            (attempt.sent, now if attempt.end is None else attempt.end)
            for attempt in self.attempts
            if attempt.sent is not None
        ]
        end = self.find_end(now)
        waits: list[Interval] = []
        last = self.start
        for sent, ended in [*sorted(busy), (end, end)]:
            if sent > last:
                waits.append((last, sent))
            last = max(last, ended)
        return waits


@final
@dataclass(slots=True)
class Trace(Observer):
    """Observer of a run that records its stages, calls and attempts; *clock* returns seconds.

    *pauses* are the intervals in which the request only waited for another request.
    """

    clock: Callable[[], float] = time.perf_counter
    stages: list[TracedStage] = field(default_factory=list[TracedStage])
    calls: list[TracedCall] = field(default_factory=list[TracedCall])
    pauses: list[Interval] = field(default_factory=list[Interval])
    start: float = field(init=False)
    _stages: dict[StageSpan, TracedStage] = field(init=False, default_factory=dict[StageSpan, TracedStage])
    _running: dict[CallSpan, TracedCall] = field(init=False, default_factory=dict[CallSpan, TracedCall])
    _keyed: dict[tuple[CallKind, Key], TracedCall] = field(
        init=False, default_factory=dict[tuple[CallKind, Key], TracedCall]
    )
    _attempts: dict[AttemptSpan, TracedAttempt] = field(
        init=False, default_factory=dict[AttemptSpan, TracedAttempt]
    )

    def __post_init__(self) -> None:
        self.start = self.clock()

    @override
    def stage_started(self, stage: StageSpan, /) -> None:
        """Record that *stage* starts now."""
        # A constant is no call of a service, and cannot be told from other optional calls that are shaped.
        names = [call.name for call in stage.calls if not (call.is_optional and call.is_shaped)]
        traced = TracedStage(stage.name, isinstance(stage.policy, CommitPolicy), tuple(names), self.clock())
        self._stages[stage] = traced
        self.stages.append(traced)

    @override
    def stage_ended(self, stage: StageSpan, outcome: CallOutcome, /) -> None:
        """Record that *stage* ends now, with *outcome*."""
        traced = self._stages[stage]
        traced.end = self.clock()
        traced.result = outcome

    @override
    def call_started(self, call: CallSpan, /) -> None:
        """Record that *call* starts now, or is repeated."""
        traced = None if call.key is None else self._keyed.get((call.kind, call.key))
        if traced is None:
            stage = None if call.stage is None else self._stages.get(call.stage)
            traced = TracedCall(call.name, call.kind, stage, self.clock())
            self.calls.append(traced)
            if call.key is not None:
                self._keyed[call.kind, call.key] = traced
                write = self._keyed.get((CallKind.WRITE, call.key))
                if call.kind is CallKind.UNDO and write is not None:
                    write.undo = traced
        traced.end = traced.result = None
        self._running[call] = traced

    @override
    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        """Record that *call* ends now, with *outcome*."""
        traced = self._running.pop(call)
        traced.end = self.clock()
        traced.result = outcome

    @override
    def attempt_started(self, attempt: AttemptSpan, /) -> None:
        """Record that *attempt* starts now."""
        traced = self._attempts[attempt] = TracedAttempt(attempt.number, self.clock())
        self._running[attempt.call].attempts.append(traced)

    @override
    def attempt_sent(self, attempt: AttemptSpan, /) -> None:
        """Record that *attempt* is sent now."""
        self._attempts[attempt].sent = self.clock()

    @override
    def attempt_ended(self, attempt: AttemptSpan, end: AttemptEnd, /) -> None:
        """Record that *attempt* ends now, with *end*."""
        traced = self._attempts.pop(attempt)
        traced.end = self.clock()
        traced.result = end

    @contextmanager
    def pause(self) -> Generator[None]:
        """Record that the request only waits for another request."""
        start = self.clock()
        try:
            yield
        finally:
            self.pauses.append((start, self.clock()))

    @property
    def elapsed(self) -> float:
        """Return the seconds since the trace was created."""
        return self.clock() - self.start

    @property
    def waited(self) -> float:
        """Return the seconds in which a call, or a pause, was in progress.

        The rest of `elapsed` is the gateway's own time.
        """
        return sum(end - start for start, end in self._merge_intervals())

    @property
    def sequential(self) -> float:
        """Return the sum of the durations of all calls so far, in seconds."""
        now = self.clock()
        return sum(call.find_end(now) - call.start for call in self.calls)

    def find_outcome(self, stage: TracedStage) -> Outcome:
        """Return the outcome of *stage*; that of a commit shows whether it has been undone."""
        own = {call.outcome for call in self.calls if call.stage is stage}
        if stage.is_commit and stage.end is not None:
            for outcome in (Outcome.STUCK, Outcome.UNDONE):
                if outcome in own:
                    return outcome
        return classify(stage.result)

    def list_never_run(self, stage: TracedStage) -> Sequence[str]:
        """Return the names of the calls of *stage* that did not start, in argument order."""
        started = Counter(call.name for call in self.calls if call.stage is stage)
        never: list[str] = []
        for name in stage.names:
            if started[name]:
                started[name] -= 1
            else:
                never.append(name)
        return never

    def _merge_intervals(self) -> Iterator[Interval]:
        """Yield the intervals of calls and pauses, without overlaps."""
        now = self.clock()
        last_end = 0.0
        calls = [(call.start, call.find_end(now)) for call in self.calls]
        for start, end in sorted([*calls, *self.pauses]) if self.pauses else calls:
            if end > last_end:
                yield max(start, last_end), end
                last_end = end
