"""What has become of commits, and another attempt to undo what is stuck."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, TypeAlias

from fastapi import APIRouter, Depends, Path, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from gateway.api.endpoints.operator import OPERATOR, refuse_others
from gateway.api.idempotency.stored_response import StoredResponse
from gateway.api.openapi.document import failures
from gateway.api.pipeline_route.models import Id
from gateway.api.problems import problem as problems
from gateway.executions.execution import Execution
from gateway.executions.registry import EXECUTION_NOT_FOUND, EXECUTION_NOT_STUCK, ExecutionRegistry
from gateway.railway import CommitState, Conflict, Err, Forbidden, NotFound, Ok, Result, Unauthorized

__all__ = ("ExecutionPage", "ExecutionRecord", "WriteRecord", "router")

StateName: TypeAlias = Literal["running", "committed", "undone", "stuck"]
ExecutionId: TypeAlias = Annotated[
    Id,
    Path(description="As Location or a problem gave it.", examples=["exe-1c0f6f0e2b7d4a1f8c3e9d7a6b5c4d3e"]),
]


class WriteRecord(TypedDict):
    """One write, and how far it has come.

    `pending`: it may be sent at any moment, or has been. `done`: the service has done it. `refused`: the
    service has declined it, or it was never sent. `unknown`: it was sent, and nobody knows what came of it.
    `undone`: it has been taken back. `stuck`: it could not be.
    """

    name: str
    outcome: Literal["pending", "done", "refused", "unknown", "undone", "stuck"]


class ExecutionRecord(TypedDict):
    """One run of a pipeline that writes; times as in RFC 3339."""

    execution_id: str
    pipeline: str
    state: StateName
    writes: list[WriteRecord]
    started_at: str
    ended_at: str | None


class ExecutionPage(TypedDict):
    """Executions, the latest first; *cursor* is where the next page begins, null on the last."""

    executions: list[ExecutionRecord]
    cursor: str | None


_EXAMPLE: Final[ExecutionRecord] = {
    "execution_id": "exe-1c0f6f0e2b7d4a1f8c3e9d7a6b5c4d3e",
    "pipeline": "transfers",
    "state": "stuck",
    "writes": [
        {"name": "payments.execute_transfer", "outcome": "stuck"},
        {"name": "accounts.post", "outcome": "refused"},
    ],
    "started_at": "2026-01-31T12:00:00+00:00",
    "ended_at": "2026-01-31T12:00:31+00:00",
}
_NO_OPERATOR: Final = (Unauthorized("The operator's token is required"), Forbidden("Only from this machine"))
_PAGE: Final = TypeAdapter(ExecutionPage)
_RECORD: Final = TypeAdapter(ExecutionRecord)


def router(executions: ExecutionRegistry[StoredResponse], operator_token: str | None) -> APIRouter:
    """Make the routes; the list, and trying again, are for operators: who has *operator_token*."""
    routes = APIRouter(tags=["executions"])
    for_operators = [Depends(refuse_others(operator_token))]

    @routes.get(
        "/executions/{execution_id}",
        summary="What has become of this execution?",
        response_model=ExecutionRecord,
        responses={200: _shown("The execution.", _EXAMPLE), **failures(EXECUTION_NOT_FOUND)},
    )
    async def get_execution(execution_id: ExecutionId, request: Request) -> Response:
        """Tell how far the writes of one run have come.

        An execution that has ended is known for a day; one of a request without an Idempotency-Key, only as
        long as it is among the latest ten thousand.
        """
        return _answer(await executions.find(execution_id), request)

    @routes.get(
        "/executions",
        summary="Which executions are there?",
        response_model=ExecutionPage,
        responses={
            200: _shown("The latest first.", {"executions": [_EXAMPLE], "cursor": "17"}),
            **failures(*_NO_OPERATOR),
        },
        dependencies=for_operators,
        openapi_extra=OPERATOR,
    )
    async def list_executions(
        state: Annotated[StateName | None, Query(description="Only those in this state.")] = None,
        limit: Annotated[int, Query(ge=1, le=100, description="How many at the most.")] = 20,
        cursor: Annotated[
            str | None,
            Query(pattern=r"^[1-9][0-9]{0,17}$", description="As the page before gave it.", examples=["17"]),
        ] = None,
    ) -> Response:
        """List executions for an operator: what is `stuck` waits for somebody to look at it."""
        page = await executions.page(
            None if state is None else CommitState(state), limit, None if cursor is None else int(cursor)
        )
        body: ExecutionPage = {
            "executions": [_record(execution) for execution in page.executions],
            "cursor": None if page.cursor is None else str(page.cursor),
        }
        return _json(_PAGE.dump_json(body))

    @routes.post(
        "/executions/{execution_id}/retry",
        summary="Undo what is stuck",
        response_model=ExecutionRecord,
        responses={
            200: _shown("The execution, `undone` if all went well, else `stuck` still.", _EXAMPLE),
            **failures(*_NO_OPERATOR, EXECUTION_NOT_FOUND, EXECUTION_NOT_STUCK),
        },
        dependencies=for_operators,
        openapi_extra=OPERATOR,
    )
    async def retry_execution(execution_id: ExecutionId, request: Request) -> Response:
        """Attempt every undo of a stuck execution once more, for an operator."""
        return _answer(await executions.retry(execution_id), request)

    return routes


def _record(execution: Execution) -> ExecutionRecord:
    ended = execution.ended_at
    return {
        "execution_id": execution.execution_id,
        "pipeline": execution.pipeline,
        "state": execution.state.value,
        "writes": [{"name": one.intent.name, "outcome": one.outcome.value} for one in execution.writes],
        "started_at": execution.started_at.isoformat(),
        "ended_at": None if ended is None else ended.isoformat(),
    }


def _answer(result: Result[Execution, NotFound | Conflict], request: Request) -> Response:
    match result:
        case Ok(execution):
            return _json(_RECORD.dump_json(_record(execution)))
        case Err(error):
            return problems.answer(error, request.scope)


def _json(body: bytes) -> Response:
    return Response(body, HTTPStatus.OK, {"Cache-Control": "no-store"}, "application/json")


def _shown(description: str, example: Mapping[str, object]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"example": example}}}
