"""GET /executions: outcomes of commits, and the operator's retry of stuck undos."""

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, TypeAlias

from fastapi import APIRouter, Depends, Path, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict  # pydantic refuses typing.TypedDict before Python 3.12

from gateway.api.endpoints.operator import LOCAL_ONLY, OPERATOR_ONLY, OPERATOR_SECURITY, require_operator
from gateway.api.openapi.components import EXAMPLE_EXECUTION_ID
from gateway.api.openapi.responses import declare_failures
from gateway.api.pipeline_route.description import DescribedPipeline
from gateway.api.pipeline_route.models import Id
from gateway.api.problems.problem import build_problem_response
from gateway.api.problems.refusal import Refusal
from gateway.executions.database.errors import DatabaseError
from gateway.executions.execution import Execution
from gateway.executions.registry import EXECUTION_NOT_FOUND, EXECUTION_NOT_STUCK, ExecutionRegistry
from gateway.railway import (
    CommitState,
    Conflict,
    Err,
    Forbidden,
    NotFound,
    Ok,
    Result,
    Unauthorized,
    Unavailable,
)

__all__ = ("ExecutionPage", "ExecutionRecord", "StateName", "WriteRecord", "build_router")

_log: Final = logging.getLogger(__name__)

StateName: TypeAlias = Literal["running", "committed", "undone", "stuck"]
ExecutionId: TypeAlias = Annotated[
    Id,
    Path(
        description="`execution_id` of a response, or the last part of its `Location`.",
        examples=[EXAMPLE_EXECUTION_ID],
    ),
]


class WriteRecord(TypedDict):
    """A write and its outcome.

    `pending`: not sent yet, or no response yet. `done`: the service made it. `refused`: the service declined
    it, or it was not sent. `unknown`: it was sent, and its outcome is unknown. `undone`: it was undone.
    `stuck`: it could not be undone.
    """

    name: str
    outcome: Literal["pending", "done", "refused", "unknown", "undone", "stuck"]


class ExecutionRecord(TypedDict):
    """A run of a pipeline that writes; times are in RFC 3339 format, and *ended_at* is null until it ends."""

    execution_id: str
    pipeline: str
    state: StateName
    writes: list[WriteRecord]
    started_at: str
    ended_at: str | None


class ExecutionPage(TypedDict):
    """Executions, the latest first; *cursor* is the start of the next page, null on the last page."""

    executions: list[ExecutionRecord]
    cursor: str | None


_JOURNAL_DOWN: Final = "The journal of the gateway is unavailable; retry shortly"
_NO_JOURNAL: Final = Unavailable(_JOURNAL_DOWN, retry_after=1.0)
_NOT_OPERATOR: Final = (Unauthorized(OPERATOR_ONLY), Forbidden(LOCAL_ONLY))
_PAGE: Final = TypeAdapter(ExecutionPage)
_RECORD: Final = TypeAdapter(ExecutionRecord)


def build_router(
    executions: ExecutionRegistry,
    operator_token: str | None,
    pipelines: Sequence[DescribedPipeline] = (),
) -> APIRouter:
    """Return the router; its list and retry endpoints are for operators only (see `require_operator`).

    The OpenAPI example is an execution of the first pipeline in *pipelines* that writes.
    """
    routes = APIRouter(tags=["executions"])
    example = _build_example(pipelines)
    for_operators = [Depends(require_operator(operator_token))]
    _add_lookup(routes, executions, example)
    _add_list(routes, executions, example, for_operators)
    _add_retry(routes, executions, example, for_operators)
    return routes


def _add_lookup(routes: APIRouter, executions: ExecutionRegistry, example: ExecutionRecord) -> None:
    @routes.get(
        "/executions/{execution_id}",
        summary="Get an execution",
        response_model=ExecutionRecord,
        responses={
            200: _document("The execution.", example),
            **declare_failures("/executions/{execution_id}", EXECUTION_NOT_FOUND, _NO_JOURNAL),
        },
    )
    async def get_execution(execution_id: ExecutionId, request: Request) -> Response:
        """Return the outcome of each write of an execution.

        An execution is kept for a day after it has ended; a stuck one, for a day after its undos have
        succeeded. After a second attempt with the same Idempotency-Key, it is the latest attempt.
        """
        with _refuse_if_unavailable():
            return _build_response(await executions.find(execution_id), request)


def _add_list(
    routes: APIRouter,
    executions: ExecutionRegistry,
    example: ExecutionRecord,
    dependencies: Sequence[Any],
) -> None:
    @routes.get(
        "/executions",
        summary="List executions",
        response_model=ExecutionPage,
        responses={
            200: _document("Executions, the latest first.", {"executions": [example], "cursor": "17"}),
            **declare_failures("/executions", *_NOT_OPERATOR, _NO_JOURNAL),
        },
        dependencies=dependencies,
        openapi_extra=OPERATOR_SECURITY,
    )
    async def list_executions(
        state: Annotated[
            StateName | None,
            Query(description="Only executions in this state; without it, all.", examples=["stuck"]),
        ] = None,
        limit: Annotated[
            int, Query(ge=1, le=100, description="Maximum number of executions in a page.")
        ] = 20,
        cursor: Annotated[
            str | None,
            Query(
                pattern=r"^[1-9][0-9]{0,17}$",
                description="`cursor` of the previous page; without it, the first page.",
                examples=["17"],
            ),
        ] = None,
    ) -> Response:
        """List executions. Only for operators, who should retry the undos of a `stuck` execution."""
        with _refuse_if_unavailable():
            page = await executions.page(
                None if state is None else CommitState(state), limit, None if cursor is None else int(cursor)
            )
        body: ExecutionPage = {
            "executions": [_build_record(execution) for execution in page.executions],
            "cursor": None if page.cursor is None else str(page.cursor),
        }
        return _build_json_response(_PAGE.dump_json(body))


def _add_retry(
    routes: APIRouter,
    executions: ExecutionRegistry,
    example: ExecutionRecord,
    dependencies: Sequence[Any],
) -> None:
    @routes.post(
        "/executions/{execution_id}/retry",
        summary="Retry the undos of a stuck execution",
        response_model=ExecutionRecord,
        responses={
            200: _document("The execution: `undone` if every undo succeeded, else still `stuck`.", example),
            **declare_failures(
                "/executions/{execution_id}/retry",
                *_NOT_OPERATOR,
                EXECUTION_NOT_FOUND,
                EXECUTION_NOT_STUCK,
                _NO_JOURNAL,
            ),
        },
        dependencies=dependencies,
        openapi_extra=OPERATOR_SECURITY,
    )
    async def retry_execution(execution_id: ExecutionId, request: Request) -> Response:
        """Retry every failed undo of a stuck execution, for 10 seconds. Only for operators."""
        with _refuse_if_unavailable():
            return _build_response(await executions.retry(execution_id), request)


@contextmanager
def _refuse_if_unavailable() -> Generator[None]:
    """Raise a `Refusal` for an error of the database."""
    try:
        yield
    except DatabaseError as error:
        _log.warning("the journal is unavailable: %s", error)
        raise Refusal(code="unavailable", detail=_JOURNAL_DOWN, headers={"Retry-After": "1"}) from error


def _build_example(pipelines: Sequence[DescribedPipeline]) -> ExecutionRecord:
    """Return a stuck execution of the first pipeline that writes, or of an invented one if none does."""
    writing = [pipeline for pipeline in pipelines if any(call.undo for call in pipeline.plan.calls)]
    writes = [call.name for call in writing[0].plan.calls if call.undo] if writing else []
    stuck: list[WriteRecord] = [{"name": name, "outcome": "stuck"} for name in writes[:1]]
    refused: list[WriteRecord] = [{"name": name, "outcome": "refused"} for name in writes[1:]]
    return {
        "execution_id": EXAMPLE_EXECUTION_ID,
        "pipeline": writing[0].plan.name if writing else "a_pipeline",
        "state": "stuck",
        "writes": [*stuck, *refused],
        "started_at": "2026-01-31T12:00:00+00:00",
        "ended_at": "2026-01-31T12:00:31+00:00",
    }


def _build_record(execution: Execution) -> ExecutionRecord:
    ended = execution.ended_at
    return {
        "execution_id": execution.execution_id,
        "pipeline": execution.pipeline,
        "state": execution.state.value,
        "writes": [{"name": write.intent.name, "outcome": write.outcome.value} for write in execution.writes],
        "started_at": execution.started_at.isoformat(),
        "ended_at": None if ended is None else ended.isoformat(),
    }


def _build_response(result: Result[Execution, NotFound | Conflict], request: Request) -> Response:
    match result:
        case Ok(execution):
            return _build_json_response(_RECORD.dump_json(_build_record(execution)))
        case Err(error):
            return build_problem_response(error, request.scope)


def _build_json_response(body: bytes) -> Response:
    return Response(body, HTTPStatus.OK, {"Cache-Control": "no-store"}, "application/json")


def _document(description: str, example: Mapping[str, object]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"example": example}}}
