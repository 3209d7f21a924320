"""A request for a pipeline that writes: one run for each key, and to its end whoever waits for it."""

from dataclasses import replace
from typing import ClassVar, ParamSpec, assert_never, cast, final

from starlette.responses import Response
from typing_extensions import override

from gateway.api.idempotency.accepted import location_of, running
from gateway.api.idempotency.key import execution_id, fingerprint, key_of
from gateway.api.idempotency.stored_response import StoredResponse
from gateway.api.pipeline_route.headers import Fields, path
from gateway.api.pipeline_route.request import PipelineRequest, Serving
from gateway.api.problems.exception_handlers import answered
from gateway.api.problems.refusal import Refusal
from gateway.executions.registry import NoAnswerReason, RunAnswer, RunRequest
from gateway.railway import Failure, Pipeline, Result

__all__ = ("CommitRequest",)

P = ParamSpec("P")


@final
class CommitRequest(PipelineRequest):
    """A request for a pipeline that writes: `commit` runs it and ends the request."""

    PARAMETERS: ClassVar[tuple[str, ...]] = (*PipelineRequest.PARAMETERS, "Idempotency-Key")

    @override
    @classmethod
    def check(cls, sent: Fields) -> None:
        key_of(sent)

    async def commit(
        self, pipeline: Pipeline[P, object, Failure], *args: P.args, **kwargs: P.kwargs
    ) -> Response:
        """Run *pipeline*, unless a request of the same key has; answer with what it came to.

        202 if the deadline passes once its commit has begun, or while another request makes the run, which
        then goes on. Raises `Refusal` where the key was used to ask for something else.
        """
        executions = cast("Serving", self.app.state.serving).executions
        key = key_of(self.asked.sent)
        known_as = execution_id(f"{self.method} {path(self.scope)}", self.asked.sent, key)
        around = replace(
            executions.prepare_context(self.context),
            execution_id=known_as,
            key_prefix=None if key is None else executions.key_prefix(known_as),
        )

        async def work() -> StoredResponse:
            try:
                result = await pipeline.on(around)(*args, **kwargs)
                return self._kept(result, known_as, has_begun=executions.has_begun(known_as))
            except Exception as bug:  # noqa: BLE001 - whoever waits gets an answer
                return self._kept(bug, known_as, has_begun=executions.has_begun(known_as))

        asked = None if key is None else fingerprint(self.asked.values)
        ticket = RunRequest(known_as, pipeline.name, asked, around.deadline)
        outcome = await executions.run(ticket, work)
        match outcome:
            case RunAnswer(kept, is_replayed):
                return kept.again(is_replayed=is_replayed)
            case NoAnswerReason.RUNNING:
                return running(known_as, pipeline.name)
            case NoAnswerReason.MISMATCH:
                detail = "This Idempotency-Key was used for another request"
                raise Refusal(code="idempotency-mismatch", detail=detail)
            case _:
                assert_never(outcome)

    def _kept(
        self, outcome: Result[object, Failure] | Exception, known_as: str, *, has_begun: bool
    ) -> StoredResponse:
        """Make the answer of a run; once its commit has begun, it says what the execution is known as."""
        if has_begun:
            self.scope["state"]["execution_id"] = known_as
        if isinstance(outcome, Exception):
            return StoredResponse.of(answered(outcome, self.scope))
        return StoredResponse.of(
            self.answer(outcome, {"Location": location_of(known_as)} if has_begun else {})
        )
