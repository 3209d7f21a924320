"""Example failures of a pipeline, derived from its error union and its plan."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Final, TypeAlias, final

from gateway.api.openapi.error_examples import (
    build_generic_error,
    build_refusal,
    build_stuck,
    build_upstream_fault,
    find_missing_example,
)
from gateway.plan.plan import Kind, Need, Plan, PlannedCall, PlannedStage, Step, walk_required_calls
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
    combine_failures,
    get_defining_class,
    get_family,
)

__all__ = ("NamedFailure", "Promise", "exemplify_plan", "exemplify_promise")

Promise: TypeAlias = Sequence[type[Failure]]
"""The members of a pipeline's error union."""

NamedFailure: TypeAlias = tuple[str, Failure]
"""An example's name, unique per status, and the failure that it shows."""

_UPSTREAM_FAULTS: Final = (BadAnswer, Unavailable, TimedOut)
_NOT_REFUSALS: Final = frozenset({*_UPSTREAM_FAULTS, Unexpected, Stuck, Aggregate})
_PARTS_SHOWN: Final = 3


def exemplify_promise(promised: Promise) -> Iterator[NamedFailure]:
    """Yield generic examples: each promised error, then aggregates of these errors if they are promised.

    An own error is left out if a member has no example.
    """
    kinds = [kind for kind in promised if kind is not Aggregate and find_missing_example(kind) is None]
    errors = [*map(build_generic_error, kinds)]
    yield from ((error.code, error) for error in errors)
    if Aggregate in promised:
        yield from (("aggregate", aggregate) for aggregate in _combine_examples(errors))


def exemplify_plan(promised: Promise, plan: Plan) -> Iterator[NamedFailure]:
    """Yield examples of the *promised* failures, as the calls of *plan* can cause them.

    A failure that no service declares must come from the pipeline itself. The example attributes it to the
    first call that the pipeline derives from another call, such as with `ensure` or `bind`; without such a
    call, it has no source. An aggregate of refusals is shown for each stage that reports every failure and
    has at least two calls that can be refused. An own error is left out if a member has no example.
    """
    promised = [kind for kind in promised if find_missing_example(kind) is None]
    failures = _PlannedFailures(promised, plan.required_calls)
    for kind in promised:
        yield from failures.exemplify_kind(kind)
    if Aggregate in promised:
        stages = [inner for stage in plan.stages for inner in _walk_reporting_stages(stage)]
        yield from failures.exemplify_stages(stages)


@final
@dataclass(frozen=True, slots=True)
class _PlannedFailures:
    """Failures of the *required* calls of a plan, limited to the errors that the run *promised*."""

    promised: Promise
    required: Sequence[PlannedCall]

    def exemplify_kind(self, kind: type[Failure]) -> Iterator[NamedFailure]:
        """Yield a refusal of each call that declares *kind*; if none does, at most one example."""
        if kind is Stuck:
            writes = [call for call in self.required if call.undo is not None]
            yield from ((kind.code, build_stuck(write)) for write in writes[:1])
        elif kind in _UPSTREAM_FAULTS:
            sent = [call for call in self.required if call.kind is not Kind.NOTHING]
            yield from ((kind.code, build_upstream_fault(kind, call)) for call in sent[:1])
        elif kind in self._undeclared:
            yield kind.code, self._exemplify_undeclared(kind)
        elif kind in self._refusals:
            for call in self.required:
                refusals = [refusal for refusal in call.refusals if self._find_promised(refusal) is kind]
                yield from (
                    (_name_refusal(call, refusal), build_refusal(refusal, call)) for refusal in refusals
                )

    def exemplify_stages(self, stages: Sequence[PlannedStage]) -> Iterator[NamedFailure]:
        """Yield an aggregate of refusals for each stage, then one with each promised upstream fault."""
        for stage in stages:
            if isinstance(aggregate := self._refuse_all(stage), Aggregate):
                yield f"aggregate: {stage.name}", aggregate
        for kind in filter(_UPSTREAM_FAULTS.__contains__, self.promised):
            aggregates = (aggregate for stage in stages for aggregate in self._fail_one(stage, kind))
            yield from (("aggregate", aggregate) for aggregate in [*aggregates][:1])

    def _exemplify_undeclared(self, kind: type[Failure]) -> Fault:
        shaped = [call for call in self.required if call.is_shaped]
        if shaped:
            return build_refusal(kind, _find_first_sent(shaped[0]))
        generic = build_generic_error(kind)
        return replace(generic, detail="") if get_family(kind) is kind else generic

    def _refuse_all(self, stage: PlannedStage) -> Failure | None:
        """Return the failure of *stage* after a refusal of every call that can be refused; None if none can.

        If a call can be refused for several reasons, the failure shows as many different codes as possible.
        """
        refusals = [
            [_place(refusal, stage, position) for refusal in found]
            for position, call in enumerate(_list_arguments(stage))
            if (found := self._list_refusals(call))
        ]
        return combine_failures(max(product(*refusals), key=_count_codes)) if refusals else None

    def _fail_one(self, stage: PlannedStage, kind: type[Failure]) -> Iterator[Aggregate]:
        """Yield the failure of *stage* for each pair of calls in a row: both fail, the second with *kind*."""
        sending = [
            (position, call) for position, call in enumerate(_list_arguments(stage)) if _list_sent_calls(call)
        ]
        for (place, before), (next_place, call) in pairwise(sending):
            first, *_ = (*self._list_refusals(before), build_upstream_fault(kind, _find_first_sent(before)))
            second = build_upstream_fault(kind, _find_first_sent(call))
            yield Aggregate((_place(first, stage, place), _place(second, stage, next_place)))

    @property
    def _refusals(self) -> Sequence[type[Failure]]:
        return [kind for kind in self.promised if kind not in _NOT_REFUSALS]

    @property
    def _undeclared(self) -> Sequence[type[Failure]]:
        declared = {self._find_promised(refusal) for call in self.required for refusal in call.refusals}
        return [kind for kind in self._refusals if kind not in declared]

    def _find_promised(self, refusal: type[Failure]) -> type[Failure] | None:
        """Return the promised error that *refusal* is, or the nearest that it is derived from."""
        if find_missing_example(refusal) is not None:
            return None
        return next((base for base in refusal.__mro__ if base in self.promised), None)

    def _list_refusals(self, argument: PlannedCall) -> Sequence[Fault]:
        """Return all possible refusals of *argument*, a call in a stage."""
        declared = [
            build_refusal(kind, call)
            for call in walk_required_calls(argument)
            for kind in call.refusals
            if self._find_promised(kind) in self._refusals
        ]
        if declared or not argument.is_shaped:
            return declared
        return [
            build_refusal(kind, _find_first_sent(argument)) for kind in self._undeclared or self._refusals
        ]


def _combine_examples(errors: Sequence[Fault]) -> Iterator[Aggregate]:
    faults = [error for error in errors if isinstance(error, (*_UPSTREAM_FAULTS, Unexpected))]
    # Permission is usually checked in a stage of its own, so Forbidden is not combined with other refusals.
    refusals: list[Fault] = [
        error for error in errors if error not in faults and not isinstance(error, Stuck | Forbidden)
    ]
    refusals = refusals or [error for error in errors if isinstance(error, Forbidden)]
    if refusals:
        yield Aggregate(tuple(refusals[:_PARTS_SHOWN] if len(refusals) > 1 else refusals * 2))
    for fault in faults:
        yield Aggregate(((refusals or faults)[0], fault))


def _name_refusal(call: PlannedCall, refusal: type[Failure]) -> str:
    is_own = get_family(refusal) is not get_defining_class(refusal)
    return f"{call.name}: {refusal.code}" if is_own else call.name


def _list_arguments(stage: PlannedStage) -> Sequence[PlannedCall]:
    """Return the calls of *stage*; if it makes a single call for each item of a list, those of two items."""
    return stage.calls * 2 if stage.at_once is not None and len(stage.calls) == 1 else stage.calls


def _place(fault: Fault, stage: PlannedStage, position: int) -> Fault:
    """Return *fault* of the call at *position* of *stage*, with its item if the stage is that of a list."""
    return fault if stage.at_once is None else replace(fault, item=position)


def _count_codes(errors: Iterable[Fault]) -> int:
    return len({error.code for error in errors})


def _list_sent_calls(call: PlannedCall) -> Sequence[PlannedCall]:
    """Return *call* and its later steps, in order, without those that send nothing or are not required."""
    return [required for required in walk_required_calls(call) if required.kind is not Kind.NOTHING]


def _find_first_sent(call: PlannedCall) -> PlannedCall:
    return next(iter(_list_sent_calls(call)), call)


def _walk_reporting_stages(step: Step) -> Iterator[PlannedStage]:
    """Yield the stages of *step*, at any depth, that report every failure rather than the first."""
    if isinstance(step, PlannedStage):
        if step.policy in {SETTLE, CONCURRENT}:
            yield step
        for call in step.calls:
            yield from _walk_reporting_stages(call)
    elif step.need is Need.REQUIRED:
        for then in step.then:
            yield from _walk_reporting_stages(then)
