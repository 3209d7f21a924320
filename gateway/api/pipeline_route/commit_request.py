"""Request for a pipeline that writes, with at most one commit per idempotency key."""

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from typing import ClassVar, Final, assert_never, final

from starlette.responses import Response

from gateway.api.idempotency.accepted import build_accepted_response, build_location
from gateway.api.idempotency.answers import build_response, store_response
from gateway.api.idempotency.fingerprint import compute_fingerprint
from gateway.api.idempotency.key import create_execution_id, identify_caller
from gateway.api.path_prefix import get_prefix
from gateway.api.pipeline_route.request import EndpointRequest
from gateway.api.problems.exception_handlers import build_exception_response
from gateway.api.problems.problem import build_problem_response
from gateway.api.problems.refusal import Refusal
from gateway.api.request_scope import assign_execution_id
from gateway.executions.answer import Answer
from gateway.executions.health import JOURNAL_FULL, JOURNAL_UNAVAILABLE
from gateway.executions.registry import NoAnswerReason, RunAnswer
from gateway.executions.run import RunRequest, SupersededError
from gateway.executions.settlement import UndecidedError
from gateway.railway import Err, Failure, Result, RunContext, Stuck, Unavailable

__all__ = ("IDEMPOTENCY_MISMATCH", "CommitRequest")

IDEMPOTENCY_MISMATCH: Final = "This Idempotency-Key was used for a different request"
STUCK_AFTER_CRASH: Final = Stuck("The execution was cut short, and some of its writes could not be undone")
UNDONE_ELSEWHERE: Final = Unavailable(
    "The execution was cut short and is being undone; the request may be sent again", retry_after=1.0
)


@final
class CommitRequest(EndpointRequest):
    """A request for a pipeline that writes; `commit` runs the pipeline and returns the response."""

    PARAMETERS: ClassVar[tuple[str, ...]] = (*EndpointRequest.PARAMETERS, "Idempotency-Key")

    async def commit(self, /, *args: object, **kwargs: object) -> Response:
        """Run the route's pipeline with these arguments and its services; return the response.

        If a commit has begun for an earlier request with the same idempotency key, return the response of
        that request instead. The response is 202 if the deadline passes after the commit has begun, or while
        the run of another request with the same key is in progress, also in another process; the run
        continues. Raise `Refusal` if the key was used for a different request, or if the journal is
        unavailable or full.
        """
        executions, key = self._served.state.executions, self._parsed.idempotency_key
        caller = identify_caller(self._parsed.headers, self.caller)
        execution_id = (
            create_execution_id()
            if key is None
            else await executions.derive_id(self._served.name, caller, key)
        )
        if execution_id is None:
            raise _build_refusal(NoAnswerReason.UNAVAILABLE)
        assign_execution_id(self.scope, execution_id)

        async def run_pipeline(context: RunContext) -> Answer:
            try:
                result = await self._served.pipeline.run(context, *args, **kwargs)
                return self._store(result, execution_id, has_begun=executions.has_begun(execution_id))
            except (SupersededError, UndecidedError):  # no bug: the journal has the answer, or will have it
                return self._store(Err(UNDONE_ELSEWHERE), execution_id, has_begun=True)
            except Exception as bug:  # noqa: BLE001 - every request that waits for the run gets a response
                return self._store(bug, execution_id, has_begun=executions.has_begun(execution_id))

        pipeline = self._served.pipeline.pipeline.name
        request = RunRequest(
            execution_id,
            pipeline,
            None if key is None else compute_fingerprint(self._parsed.arguments),
            self.context,
            caller,
            self._pause,
        )
        outcome = await executions.run(request, run_pipeline)
        match outcome:
            case RunAnswer(answer, is_replayed):
                return build_response(answer, is_replayed=is_replayed)
            case NoAnswerReason.RUNNING:
                return build_accepted_response(execution_id, pipeline, get_prefix(self.scope))
            case NoAnswerReason.STUCK:
                return build_problem_response(STUCK_AFTER_CRASH, self.scope, execution_id)
            case NoAnswerReason.UNDONE:
                return build_problem_response(UNDONE_ELSEWHERE, self.scope, execution_id)
            case NoAnswerReason.MISMATCH | NoAnswerReason.UNAVAILABLE | NoAnswerReason.FULL:
                raise _build_refusal(outcome)
            case _:
                assert_never(outcome)

    @contextmanager
    def _pause(self) -> Generator[None]:
        """Free the slot of the request while it only waits for another request."""
        trace = self._parsed.trace
        with self._parsed.slot.pause(), nullcontext() if trace is None else trace.pause():
            yield

    def _store(
        self, outcome: Result[object, Failure] | Exception, execution_id: str, *, has_begun: bool
    ) -> Answer:
        """Return the response of a run for storing; it refers to the execution if the commit has begun."""
        problem_id = execution_id if has_begun else None
        if isinstance(outcome, Exception):
            response: Response = build_exception_response(outcome, self.scope, problem_id)
        else:
            headers = {"Location": build_location(execution_id, get_prefix(self.scope))} if has_begun else {}
            response = self.build_response(outcome, headers=headers, execution_id=problem_id)
        return store_response(response)


def _build_refusal(reason: NoAnswerReason) -> Refusal:
    if reason is NoAnswerReason.MISMATCH:
        return Refusal(code="idempotency-mismatch", detail=IDEMPOTENCY_MISMATCH)
    detail = JOURNAL_FULL if reason is NoAnswerReason.FULL else JOURNAL_UNAVAILABLE
    return Refusal(code="unavailable", detail=detail, headers={"Retry-After": "1"})
