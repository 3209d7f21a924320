"""Trace of one request: its stages, calls and attempts, with their times and outcomes."""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias, final

from typing_extensions import override

from gateway.observability.outcome import Outcome, classify, find_code
from gateway.railway import (
    AttemptEnd,
    AttemptSpan,
    CallKind,
    CallOutcome,
    CallSpan,
    CommitPolicy,
    Key,
    Observer,
    RejectedBy,
    StageSpan,
)

__all__ = ("Trace", "TracedAttempt", "TracedCall", "TracedStage")

Interval: TypeAlias = tuple[float, float]
_KeyedCall: TypeAlias = tuple[CallKind, Key]

# Outcomes are stored in place of results and exceptions. The traceback of an exception refers to the frames
# that have the trace, so that only the garbage collector could free them.


@final
@dataclass(slots=True)
class TracedAttempt:
    """Attempt of a call; *rejected_by* is the policy that has kept it from being sent, if any.

    *start*, *sent* and *end* are in seconds on the clock of the trace. Between *start* and *sent*, the
    attempt waits for the concurrency limit. *sent* is None until it is sent, *end* until it ends.
    """

    number: int
    start: float
    sent: float | None = None
    end: float | None = None
    outcome: Outcome = Outcome.RUNNING
    rejected_by: RejectedBy | None = None


@final
@dataclass(slots=True)
class TracedStage:
    """Stage, or commit, of a trace; *end* is None while it runs.

    *names* are those of its calls, without calls that are derived from others: they may have other names.
    """

    name: str
    is_commit: bool
    names: tuple[str, ...]
    start: float
    end: float | None = None
    outcome: Outcome = Outcome.RUNNING


@final
@dataclass(slots=True)
class TracedCall:
    """Call in a trace; the repeats of a write or of an undo in a commit are one call.

    *start* and *end* are in seconds on the clock of the trace; *end* is that of the last repeat so far, and
    None while one runs. *last_start* is the start of that repeat. *ended* is the outcome of the last repeat,
    and *status* its code (`find_code`), or `running`. *made* counts the repeats too. *undo* is the undo of a
    write, if it was made. *service* is the registered name of the service; empty if it is unknown.
    """

    name: str
    kind: CallKind
    stage: TracedStage | None
    start: float
    service: str = ""
    last_start: float = 0.0
    end: float | None = None
    ended: Outcome = Outcome.RUNNING
    status: str = "running"
    made: int = 0
    undo: "TracedCall | None" = None
    attempts: list[TracedAttempt] = field(default_factory=list[TracedAttempt])

    @property
    def is_running(self) -> bool:
        """Return whether the call runs, or pauses before a repeat.

        As long as its commit runs, a write or an undo whose outcome is unknown is repeated.
        """
        if self.end is None:
            return True
        is_repeated = self.kind is not CallKind.READ and self.ended in {Outcome.FAILED, Outcome.TIMED_OUT}
        in_commit = self.stage is not None and self.stage.is_commit and self.stage.end is None
        return is_repeated and in_commit and self.undo is None

    def find_end(self, now: float) -> float:
        """Return the end of the call; *now* while it runs, or pauses before a repeat."""
        return now if self.end is None or self.is_running else self.end

    @property
    def outcome(self) -> Outcome:
        """Return the outcome of the call; that of a write shows whether it has been undone."""
        if self.is_running:
            return Outcome.RUNNING
        if self.undo is None or self.undo.is_running:
            return self.ended
        return Outcome.UNDONE if self.undo.ended is Outcome.DONE else Outcome.STUCK

    @property
    def retries(self) -> int:
        """Return the number of attempts that were sent after the first one of their request."""
        sent = [attempt for attempt in self.attempts if attempt.sent is not None]
        if self.kind is CallKind.READ:  # a read in chunks makes several requests
            return sum(attempt.number > 1 for attempt in sent)
        return max(len(sent) - 1, 0)

    @property
    def rejected_by(self) -> RejectedBy | None:
        """Return the policy that was the last to reject an attempt, if any."""
        policies = [attempt.rejected_by for attempt in self.attempts if attempt.rejected_by is not None]
        return policies[-1] if policies else None

    @property
    def was_sent(self) -> bool:
        """Return whether an attempt was sent."""
        return any(attempt.sent is not None for attempt in self.attempts)

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
    """Observer of a run that records its stages, its calls and, if it *observes_attempts*, their attempts.

    *clock* returns seconds. *on_call_ended* is called with each call that ends, and for each repeat of it
    again; it must not raise. *pauses* are the intervals in which the request only waited for another request.
    """

    clock: Callable[[], float] = time.perf_counter
    observes_attempts: bool = True
    on_call_ended: Callable[[TracedCall], None] | None = None
    stages: list[TracedStage] = field(default_factory=list[TracedStage])
    calls: list[TracedCall] = field(default_factory=list[TracedCall])
    pauses: tuple[Interval, ...] = ()
    start: float = field(init=False)
    _stages: dict[StageSpan, TracedStage] = field(init=False, default_factory=dict[StageSpan, TracedStage])
    _running: dict[CallSpan, TracedCall] = field(init=False, default_factory=dict[CallSpan, TracedCall])
    _keyed: dict[_KeyedCall, TracedCall] = field(init=False, default_factory=dict[_KeyedCall, TracedCall])
    _attempts: dict[AttemptSpan, TracedAttempt] = field(
        init=False, default_factory=dict[AttemptSpan, TracedAttempt]
    )

    def __post_init__(self) -> None:
        self.start = self.clock()

    @override
    def stage_started(self, stage: StageSpan, /) -> None:
        """Record that *stage* starts now."""
        names = tuple([call.name for call in stage.calls if call.is_write or not call.is_shaped])
        traced = TracedStage(stage.name, isinstance(stage.policy, CommitPolicy), names, self.clock())
        self._stages[stage] = traced
        self.stages.append(traced)

    @override
    def stage_ended(self, stage: StageSpan, outcome: CallOutcome, /) -> None:
        """Record that *stage* ends now, with *outcome*."""
        traced = self._stages.pop(stage)
        traced.end = self.clock()
        traced.outcome = classify(outcome)
        if traced.is_commit:
            own = {call.outcome for call in self.calls if call.stage is traced}
            for compensated in (Outcome.STUCK, Outcome.UNDONE):
                if compensated in own:
                    traced.outcome = compensated
                    return

    @override
    def call_started(self, call: CallSpan, /) -> None:
        """Record that *call* starts now, or is repeated."""
        now = self.clock()
        traced = None if call.key is None else self._keyed.get((call.kind, call.key))
        if traced is None:
            stage = None if call.stage is None else self._stages.get(call.stage)
            service = "" if call.info is None else call.info.service
            traced = TracedCall(call.name, call.kind, stage, now, service)
            self.calls.append(traced)
            if call.key is not None:
                self._keyed[call.kind, call.key] = traced
                write = self._keyed.get((CallKind.WRITE, call.key))
                if call.kind is CallKind.UNDO and write is not None:
                    write.undo, traced.service = traced, write.service
        traced.end, traced.ended, traced.status = None, Outcome.RUNNING, "running"
        traced.last_start = now
        traced.made += 1
        self._running[call] = traced

    @override
    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        """Record that *call* ends now, with *outcome*."""
        traced = self._running.pop(call)
        traced.end = self.clock()
        traced.ended, traced.status = classify(outcome), find_code(outcome)
        if self.on_call_ended is not None:
            self.on_call_ended(traced)

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
        traced.outcome = classify(end)
        traced.rejected_by = end if isinstance(end, RejectedBy) else None

    @contextmanager
    def pause(self) -> Generator[None]:
        """Record that the request only waits for another request."""
        start = self.clock()
        try:
            yield
        finally:
            self.pauses = (*self.pauses, (start, self.clock()))

    @property
    def elapsed(self) -> float:
        """Return the seconds since the trace was created."""
        return self.clock() - self.start

    @property
    def sequential(self) -> float:
        """Return the sum of the durations of all calls so far, in seconds."""
        return self.measure_sequential(self.clock())

    def measure_sequential(self, now: float) -> float:
        """Return the sum of the durations of all calls until *now*, in seconds."""
        return sum(call.find_end(now) - call.start for call in self.calls)

    def measure_own(self, now: float) -> float:
        """Return the gateway's own seconds until *now*: without calls, and without pauses of the request."""
        away = sum(end - start for start, end in self._merge_intervals(now))
        return max(now - self.start - away, 0.0)

    def list_never_run(self, stage: TracedStage) -> Sequence[str]:
        """Return the names of the calls that *stage*, which has ended, did not start, in argument order."""
        if stage.end is None:
            return ()
        started = Counter(call.name for call in self.calls if call.stage is stage)
        never: list[str] = []
        for name in stage.names:
            if started[name]:
                started[name] -= 1
            else:
                never.append(name)
        return never

    def _merge_intervals(self, now: float) -> Iterator[Interval]:
        """Yield the intervals of calls and pauses, without overlaps."""
        last_end = 0.0
        calls = [(call.start, call.find_end(now)) for call in self.calls]
        # The calls are in the order in which they started.
        for start, end in sorted([*calls, *self.pauses]) if self.pauses else calls:
            if end > last_end:
                yield max(start, last_end), end
                last_end = end
