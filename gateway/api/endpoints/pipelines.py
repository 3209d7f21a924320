"""GET /pipelines: what each pipeline does, as data."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal, NotRequired, ParamSpec, TypeAlias, cast, final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic_core import to_json
from starlette.responses import Response
from starlette.routing import compile_path
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from gateway.api.openapi import document as openapi
from gateway.api.openapi.error_examples import EXAMPLES
from gateway.api.openapi.failure_examples import Promise
from gateway.api.problems import problem as problems
from gateway.plan.dry_run import dry_run
from gateway.plan.plan import Plan, PlannedCall, PlannedStage, Step
from gateway.railway import CommitPolicy, Failure, Pipeline, Policy, Result, RunContext

__all__ = (
    "CallDescription",
    "Described",
    "PipelineDescription",
    "PipelineList",
    "Pipelines",
    "Refusal",
    "StageDescription",
    "describe",
    "policy_of",
    "refusals_of",
    "router",
)

P = ParamSpec("P")

PolicyName: TypeAlias = Literal["settle", "fail fast", "commit, in order", "commit, parallel"]

_POLICIES: Final[Mapping[Policy | CommitPolicy, PolicyName]] = {
    Policy.SETTLE: "settle",
    Policy.FAIL_FAST: "fail fast",
    CommitPolicy.SEQUENTIAL: "commit, in order",
    CommitPolicy.CONCURRENT: "commit, parallel",
}
_CACHED: Final = {"Cache-Control": "max-age=300"}
"""It is another one when the gateway is."""


class Refusal(TypedDict):
    """What a service declares to refuse with."""

    status: int
    code: str


class CallDescription(TypedDict):
    """A call: what it does to its service, and what becomes of the answer without it.

    *kind* is `nothing` where no service is asked: for what is known, and for what is made of the calls that
    it goes on with *then*. *undo* takes a write back. Besides the *refusals*, every call can fail with 502,
    503 and 504.
    """

    name: str
    kind: Literal["read", "write", "nothing"]
    need: Literal["required", "optional", "best effort"]
    undo: NotRequired[str]
    refusals: list[Refusal]
    then: NotRequired["list[CallDescription | StageDescription]"]


class StageDescription(TypedDict):
    """Calls that are made together, in the order in which the pipeline names them.

    A call that is made outside any stage has neither *name* nor *policy*. After a commit, the point of no
    return, only what is not required follows.
    """

    name: NotRequired[str]
    policy: NotRequired[PolicyName]
    after_commit: bool
    calls: list[CallDescription]


class PipelineDescription(TypedDict):
    """A pipeline: where it answers, with which *statuses*, and what it does for that, stage by stage."""

    name: str
    summary: str
    method: str
    path: str
    statuses: list[int]
    stages: list[StageDescription]


class PipelineList(TypedDict):
    """Every pipeline that is described."""

    pipelines: list[PipelineDescription]


@final
@dataclass(frozen=True, slots=True)
class Described:
    """A pipeline, what is known of it, and how to *run* it on the arguments that it was described with."""

    plan: Plan
    promise: Promise
    description: PipelineDescription
    run: Callable[[RunContext], Awaitable[Result[object, Failure]]]


@final
class Pipelines:
    """The pipelines that an app describes, in the order in which they were added."""

    def __init__(self) -> None:
        self.described: Final[list[Described]] = []
        self.listed: Final[PipelineList] = {"pipelines": []}
        self.body = to_json(self.listed)
        """What `GET /pipelines` answers."""

    def add(self, one: Described) -> None:
        """Describe *one* as well."""
        self.described.append(one)
        self.listed["pipelines"].append(one.description)
        self.body = to_json(self.listed)

    def complete(self, document: Mapping[str, Any]) -> None:
        """Let the OpenAPI *document* show what was found out of each: how its calls can fail."""
        for one in self.described:
            _, path, _ = compile_path(one.description["path"])
            operation = document["paths"].get(path, {}).get(one.description["method"].lower())
            if operation is not None:  # else it is not to be shown
                openapi.planned(operation["responses"], one.promise, one.plan)


def router(pipelines: Pipelines) -> APIRouter:
    """Make the route; *pipelines* may grow later, and its documentation shows them all."""
    routes = APIRouter(tags=["operations"])

    @routes.get(
        "/pipelines",
        summary="What does each pipeline do?",
        response_model=PipelineList,
        responses={200: {"content": {"application/json": {"example": pipelines.listed}}}},
    )
    async def list_pipelines() -> Response:
        """Describe each pipeline: its stages and their calls, writes and undos, and how it can answer.

        Nobody has written this down: it is what the pipelines were seen to do, run on examples when the
        gateway started.
        """
        return Response(pipelines.body, HTTPStatus.OK, _CACHED, "application/json")

    return routes


def describe(
    app: FastAPI, at: str, pipeline: Pipeline[P, object, Failure], *args: P.args, **kwargs: P.kwargs
) -> None:
    """Have `GET /pipelines` of *app* describe *pipeline*, which answers *at* (`GET /welcome/{user_id}`).

    It is rehearsed on the arguments, so that no service is asked: see `dry_run`, and for the examples that
    its calls need, `gateway.client.examples`. Raises `LookupError` if there is no such route, and
    `DryRunError`.

    From then on OpenAPI shows how its own calls can fail, and 207 only if two calls of one stage can be
    refused. A pipeline that finds several things wrong by itself (`combine`) declares its 207 beside
    `responses`.
    """
    plan, promise = dry_run(pipeline, *args, **kwargs), pipeline.promised
    method, _, path = at.partition(" ")
    description: PipelineDescription = {
        "name": plan.name,
        "summary": plan.summary,
        "method": method,
        "path": path,
        "statuses": _statuses(_route(app, method, path), promise, plan),
        "stages": [_stage(stage) for stage in plan.stages],
    }
    pipelines = cast("Pipelines", app.state.pipelines)
    pipelines.add(Described(plan, promise, description, lambda around: pipeline.on(around)(*args, **kwargs)))


def policy_of(policy: Policy | CommitPolicy) -> PolicyName:
    """Say how a stage makes its calls, and what a failed one means for the others."""
    return _POLICIES[policy]


def refusals_of(call: PlannedCall) -> list[Refusal]:
    """Say how the service of *call* declares to refuse."""
    return [{"status": problems.status(EXAMPLES[kind]), "code": kind.code} for kind in call.refusals]


def _route(app: FastAPI, method: str, path: str) -> APIRoute:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and context.path == path and method in (context.methods or ()):
            return route
    msg = f"no route answers {method} {path}"
    raise LookupError(msg)


def _statuses(route: APIRoute, promise: Promise, plan: Plan) -> list[int]:
    """Give the statuses that OpenAPI has for *route*."""
    declared = {**route.responses}
    openapi.planned(declared, promise, plan)
    return sorted({route.status_code or int(HTTPStatus.OK), *map(int, declared)})


def _stage(stage: PlannedStage) -> StageDescription:
    calls = [_call(call) for call in stage.calls]
    if stage.name is None or stage.policy is None:
        return {"after_commit": stage.is_after_commit, "calls": calls}
    return {
        "name": stage.name,
        "policy": policy_of(stage.policy),
        "after_commit": stage.is_after_commit,
        "calls": calls,
    }


def _call(call: PlannedCall) -> CallDescription:
    described: CallDescription = {
        "name": call.name,
        "kind": call.kind.value,
        "need": call.need.value,
        "refusals": refusals_of(call),
    }
    if call.undo is not None:
        described["undo"] = call.undo
    if call.then:
        described["then"] = [_step(step) for step in call.then]
    return described


def _step(step: Step) -> CallDescription | StageDescription:
    return _call(step) if isinstance(step, PlannedCall) else _stage(step)
