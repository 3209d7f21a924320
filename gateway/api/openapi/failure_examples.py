"""How a pipeline can fail, by example: as far as its run promises, and its plan shows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Final, TypeAlias, final

from gateway.api.openapi.error_examples import EXAMPLES, fault_of, refusal_of
from gateway.plan.plan import Kind, Need, Plan, PlannedCall, PlannedStage, Step
from gateway.railway import (
    CONCURRENT,
    SETTLE,
    Aggregate,
    BadAnswer,
    Failure,
    Fault,
    Forbidden,
    Stuck,
    TimedOut,
    Unavailable,
    Unexpected,
    combined,
)

__all__ = ("Promise", "any_of", "foreseen")

Promise: TypeAlias = Sequence[type[Failure]]
"""The failures that the annotation of a run names."""

_OF_SERVERS: Final = (BadAnswer, Unavailable, TimedOut)
_NO_REFUSALS: Final = frozenset({*_OF_SERVERS, Unexpected, Stuck, Aggregate})


def any_of(promise: Promise) -> Iterator[tuple[str, Failure]]:
    """Give examples of *promise*, by name, of some pipeline: each kind alone, then several together."""
    faults = [EXAMPLES[kind] for kind in promise if kind is not Aggregate]
    yield from ((fault.code, fault) for fault in faults)
    if Aggregate in promise:
        servers = [fault for fault in faults if isinstance(fault, (*_OF_SERVERS, Unexpected))]
        # Who may do a thing is asked in a stage of its own, more often than not: no part of an example.
        clients: list[Fault] = [
            fault for fault in faults if fault not in servers and not isinstance(fault, Forbidden | Stuck)
        ]
        # One kind alone makes an aggregate as well: two calls that failed in the same way.
        together = [clients[:3] if len(clients) > 1 else clients * 2] if clients else []
        together += [[*(clients or servers)[:1], fault] for fault in servers]
        yield from (("aggregate", Aggregate(tuple(several))) for several in together)


def foreseen(promise: Promise, plan: Plan) -> Iterator[tuple[str, Failure]]:
    """Give examples of *promise*, by name, of the pipeline that has this *plan*: they are made of its calls.

    A refusal that no service declares is one that the pipeline finds: it is put down to the first call of
    which it makes something else. Several refusals are those of one stage that gathers what goes wrong, in
    argument order: there are none unless two of its calls can be refused.
    """
    ways = _Ways(promise, [call for stage in plan.stages for call in _required(stage)])
    for kind in promise:
        yield from ways.alone(kind)
    if Aggregate in promise:
        stages = [stage for one in plan.stages for stage in _gathering(one)]
        yield from (
            (f"aggregate: {stage.name}", several) for stage in stages for several in ways.refused(stage)
        )
        for kind in filter(_OF_SERVERS.__contains__, promise):
            several = [aggregate for stage in stages for aggregate in ways.at_fault(stage, kind)]
            yield from (("aggregate", aggregate) for aggregate in several[:1])


@final
@dataclass(frozen=True, slots=True)
class _Ways:
    """The ways in which *calls*, all that a pipeline needs, can fail as it promises."""

    promise: Promise
    calls: Sequence[PlannedCall]

    def alone(self, kind: type[Failure]) -> Iterator[tuple[str, Failure]]:
        """Give one failure of *kind* for each call that can be refused so; one in all if it is no refusal."""
        if kind is Stuck:
            writes = [call.name for call in self.calls if call.undo is not None]
            yield from (
                (kind.code, Stuck(f"What was done could not be undone: {name}")) for name in writes[:1]
            )
        elif kind in _OF_SERVERS:
            asked = [name for call in self.calls for name in _asked(call)]
            yield from ((kind.code, fault_of(kind, name)) for name in asked[:1])
        elif kind in self._undeclared:
            shaped = [_blamed(call) for call in self.calls if call.is_shaped]
            yield kind.code, refusal_of(kind, shaped[0]) if shaped else type(EXAMPLES[kind])()
        else:
            refused = [call.name for call in self.calls if kind in call.refusals and kind in self._refusals]
            yield from ((name, refusal_of(kind, name)) for name in refused)

    def refused(self, stage: PlannedStage) -> Iterator[Aggregate]:
        """Give what *stage* fails with if each call is refused that can be, in as many ways as there are."""
        ways = [found for call in stage.calls if (found := self._refusals_of(call))]
        several = combined(max(product(*ways), key=_variety)) if ways else None
        if isinstance(several, Aggregate):
            yield several

    def at_fault(self, stage: PlannedStage, kind: type[Failure]) -> Iterator[Aggregate]:
        """Give what *stage* fails with if a call fails by the *kind* of fault, and the one before it too."""
        asking = [call for call in stage.calls if _asked(call)]
        for call, other in pairwise(asking):
            first, *_ = (*self._refusals_of(call), fault_of(kind, _blamed(call)))
            yield Aggregate((first, fault_of(kind, _blamed(other))))

    @property
    def _refusals(self) -> Sequence[type[Failure]]:
        return [kind for kind in self.promise if kind not in _NO_REFUSALS]

    @property
    def _undeclared(self) -> Sequence[type[Failure]]:
        declared = {kind for call in self.calls for kind in call.refusals}
        return [kind for kind in self._refusals if kind not in declared]

    def _refusals_of(self, argument: PlannedCall) -> Sequence[Fault]:
        """Give the ways in which *argument* of a stage can be refused."""
        found = [
            refusal_of(kind, call.name)
            for call in _required(argument)
            for kind in call.refusals
            if kind in self._refusals
        ]
        if found or not argument.is_shaped:
            return found
        return [refusal_of(kind, _blamed(argument)) for kind in self._undeclared or self._refusals]


def _variety(several: Iterable[Fault]) -> int:
    return len({fault.code for fault in several})


def _asked(call: PlannedCall) -> Sequence[str]:
    """Name the calls of services that *call* makes and cannot do without."""
    return [one.name for one in _required(call) if one.kind is not Kind.NOTHING]


def _blamed(call: PlannedCall) -> str:
    return next(iter(_asked(call)), call.name)


def _required(step: Step) -> Iterator[PlannedCall]:
    """Give the calls of *step* that fail the run if they fail."""
    if isinstance(step, PlannedStage):
        for call in step.calls:
            yield from _required(call)
    elif step.need is Need.REQUIRED:
        yield step
        for one in step.then:
            yield from _required(one)


def _gathering(step: Step) -> Iterator[PlannedStage]:
    """Give *step*, if it is a stage of which all failures are told, and such stages within."""
    if isinstance(step, PlannedStage):
        if step.policy in {SETTLE, CONCURRENT}:
            yield step
        for call in step.calls:
            yield from _gathering(call)
    elif step.need is Need.REQUIRED:
        for one in step.then:
            yield from _gathering(one)
