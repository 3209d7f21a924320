"""Observer that records its notifications."""

from dataclasses import dataclass, field

from typing_extensions import override

from gateway.railway import CallOutcome, CallSpan, Observer, StageSpan


@dataclass
class RecordingObserver(Observer):
    """Records spans, outcomes by call name, and *events*: `+name` for a start, `-name` for an end."""

    events: list[str] = field(default_factory=list[str])
    stages: list[StageSpan] = field(default_factory=list[StageSpan])
    calls: list[CallSpan] = field(default_factory=list[CallSpan])
    outcomes: dict[str, CallOutcome] = field(default_factory=dict[str, CallOutcome])

    @override
    def stage_started(self, stage: StageSpan, /) -> None:
        self.stages.append(stage)
        self.events.append(f"+{stage.name}")

    @override
    def stage_ended(self, stage: StageSpan, outcome: CallOutcome, /) -> None:
        self.stages.append(stage)
        self.events.append(f"-{stage.name}")

    @override
    def call_started(self, call: CallSpan, /) -> None:
        self.calls.append(call)
        self.events.append(f"+{call.name}")

    @override
    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        self.calls.append(call)
        self.events.append(f"-{call.name}")
        self.outcomes[call.name] = outcome
