"""Observation: notifications of the observer of a run about its calls and their attempts."""

from typing import Final, TypeVar, cast, final

from gateway.railway.context import RunContext, change_context, current_context
from gateway.railway.errors import Failure
from gateway.railway.observer import AttemptEnd, AttemptSpan, CallSpan, Observer
from gateway.railway.result import Attempt, Result

__all__ = ("AttemptNotifier", "create_attempt_notifier", "observe")

T = TypeVar("T")
E = TypeVar("E", bound=Failure)


async def observe(span: CallSpan, attempt: Attempt[T, E]) -> Result[T, E]:
    """Make *attempt*, unless the run's stub answers in its place; notify the observer of start and end."""
    context = current_context()
    observer = context.observer
    if observer is None:
        return await _answer(span, attempt, context)
    observer.call_started(span)
    try:
        if observer.observes_attempts:
            with change_context(call=span):
                result = await _answer(span, attempt, context)
        else:
            result = await _answer(span, attempt, context)
    except BaseException as error:
        observer.call_ended(span, error)
        raise
    observer.call_ended(span, result)
    return result


async def _answer(span: CallSpan, attempt: Attempt[T, E], context: RunContext) -> Result[T, E]:
    stubbed = None if context.stub is None else context.stub(span)
    # Only as sound as the stub, whose results are not checked.
    return await attempt() if stubbed is None else cast("Result[T, E]", stubbed)


@final
class AttemptNotifier:
    """Notifies *observer*, if any, of the attempts of one request of *call*.

    For each attempt: `start`, then `send` unless a policy rejects it, then `end`.
    """

    __slots__ = ("_attempt", "_call", "_number", "_observer")

    def __init__(self, observer: Observer | None, call: CallSpan | None) -> None:
        self._observer = None if call is None else observer
        self._call = call
        self._number = 0
        self._attempt: AttemptSpan | None = None

    def start(self) -> None:
        """Notify that the next attempt is about to be made."""
        if self._observer is not None and self._call is not None:
            self._number += 1
            self._attempt = AttemptSpan(self._call, self._number)
            self._observer.attempt_started(self._attempt)

    def send(self) -> None:
        """Notify that the policies have admitted the attempt."""
        if self._observer is not None and self._attempt is not None:
            self._observer.attempt_sent(self._attempt)

    def end(self, end: AttemptEnd, /) -> None:
        """Notify of the end of the attempt."""
        if self._observer is not None and self._attempt is not None:
            self._observer.attempt_ended(self._attempt, end)


_UNOBSERVED: Final = AttemptNotifier(None, None)


def create_attempt_notifier(context: RunContext) -> AttemptNotifier:
    """Return a notifier of the observer in *context*, for the attempts of one request of its call."""
    if context.observer is None or context.call is None:
        return _UNOBSERVED
    return AttemptNotifier(context.observer, context.call)
