"""Request for a pipeline that writes, with at most one commit per idempotency key."""

from dataclasses import replace
from typing import ClassVar, assert_never, final

from starlette.responses import Response

from gateway.api.idempotency.accepted import build_accepted_response, build_location
from gateway.api.idempotency.key import compute_fingerprint, derive_execution_id
from gateway.api.idempotency.stored_response import StoredResponse
from gateway.api.path_prefix import get_prefix
from gateway.api.pipeline_route.request import EndpointRequest
from gateway.api.problems.exception_handlers import build_exception_response
from gateway.api.problems.refusal import Refusal
from gateway.executions.registry import NoAnswerReason, RunAnswer, RunRequest
from gateway.railway import Failure, Result

__all__ = ("IDEMPOTENCY_MISMATCH", "CommitRequest")

IDEMPOTENCY_MISMATCH = "This Idempotency-Key was used for a different request"


@final
class CommitRequest(EndpointRequest):
    """A request for a pipeline that writes; `commit` runs the pipeline and returns the response."""

    PARAMETERS: ClassVar[tuple[str, ...]] = (*EndpointRequest.PARAMETERS, "Idempotency-Key")

    async def commit(self, /, *args: object, **kwargs: object) -> Response:
        """Run the route's pipeline with these arguments and its services; return the response.

        If a commit has begun for an earlier request with the same idempotency key, return the response of
        that request instead. The response is 202 if the deadline passes after the commit has begun, or while
        the run of another request with the same key is in progress; the run continues. Raise `Refusal` if
        the key was used for a different request.
        """
        executions, key = self._served.state.executions, self._parsed.idempotency_key
        execution_id = derive_execution_id(self._served.name, self._parsed.headers, key, self.caller)
        context = replace(
            executions.prepare_context(self.context),
            execution_id=execution_id,
            key_prefix=None if key is None else executions.key_prefix(execution_id),
        )

        async def run_pipeline() -> StoredResponse:
            try:
                result = await self._served.pipeline.run(context, *args, **kwargs)
                return self._store(result, execution_id, has_begun=executions.has_begun(execution_id))
            except Exception as bug:  # noqa: BLE001 - every request that waits for the run gets a response
                return self._store(bug, execution_id, has_begun=executions.has_begun(execution_id))

        fingerprint = None if key is None else compute_fingerprint(self._parsed.arguments)
        pipeline = self._served.pipeline.pipeline.name
        request = RunRequest(execution_id, pipeline, fingerprint, context.deadline)
        outcome = await executions.run(request, run_pipeline)
        match outcome:
            case RunAnswer(stored, is_replayed):
                return stored.build_response(is_replayed=is_replayed)
            case NoAnswerReason.RUNNING:
                return build_accepted_response(execution_id, pipeline, get_prefix(self.scope))
            case NoAnswerReason.MISMATCH:
                raise Refusal(code="idempotency-mismatch", detail=IDEMPOTENCY_MISMATCH)
            case _:
                assert_never(outcome)

    def _store(
        self, outcome: Result[object, Failure] | Exception, execution_id: str, *, has_begun: bool
    ) -> StoredResponse:
        """Return the response of a run for storing; it refers to the execution if the commit has begun."""
        problem_id = execution_id if has_begun else None
        if isinstance(outcome, Exception):
            response: Response = build_exception_response(outcome, self.scope, problem_id)
        else:
            headers = {"Location": build_location(execution_id, get_prefix(self.scope))} if has_begun else {}
            response = self.build_response(outcome, headers=headers, execution_id=problem_id)
        return StoredResponse.from_response(response)
