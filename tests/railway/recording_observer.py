"""An observer that writes down what it hears."""

from dataclasses import dataclass, field

from typing_extensions import override

from gateway.railway import CallOutcome, CallSpan, Observer, StageSpan


@dataclass
class Ear(Observer):
    """Keeps the spans it hears of, and writes down what it hears."""

    told: list[str] = field(default_factory=list[str])
    stages: list[StageSpan] = field(default_factory=list[StageSpan])
    calls: list[CallSpan] = field(default_factory=list[CallSpan])
    outcomes: dict[str, CallOutcome] = field(default_factory=dict[str, CallOutcome])

    @override
    def stage_started(self, stage: StageSpan, /) -> None:
        self.stages.append(stage)
        self.told.append(f"+{stage.name}")

    @override
    def stage_ended(self, stage: StageSpan, /) -> None:
        self.stages.append(stage)
        self.told.append(f"-{stage.name}")

    @override
    def call_started(self, call: CallSpan, /) -> None:
        self.calls.append(call)
        self.told.append(f"+{call.name}")

    @override
    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        self.calls.append(call)
        self.told.append(f"-{call.name}")
        self.outcomes[call.name] = outcome
