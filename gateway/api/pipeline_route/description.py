"""Description of a pipeline as data, from its dry run."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, NotRequired, TypeAlias, final

from pydantic import TypeAdapter
from typing_extensions import TypedDict  # pydantic refuses typing.TypedDict before Python 3.12

from gateway.api.openapi.responses import list_statuses
from gateway.api.openapi.route_spec import RouteSpec
from gateway.api.pipeline_route.registration import RegistrationError
from gateway.api.pipeline_route.route import PipelineRoute
from gateway.api.problems.catalogue import CATALOGUE
from gateway.plan.dry_run import dry_run
from gateway.plan.plan import Plan, PlannedCall, PlannedStage, Step
from gateway.railway import CommitPolicy, Failure, Policy, Result, RunContext

__all__ = (
    "CallDescription",
    "DeclaredRefusal",
    "DescribedPipeline",
    "PipelineDescription",
    "PipelineList",
    "StageDescription",
    "describe",
    "list_refusals",
    "name_policy",
)

PolicyName: TypeAlias = Literal["settle", "fail fast", "commit, in order", "commit, parallel"]

_POLICIES: Final[Mapping[Policy | CommitPolicy, PolicyName]] = {
    Policy.SETTLE: "settle",
    Policy.FAIL_FAST: "fail fast",
    CommitPolicy.SEQUENTIAL: "commit, in order",
    CommitPolicy.CONCURRENT: "commit, parallel",
}


class DeclaredRefusal(TypedDict):
    """A refusal that a service declares."""

    status: int
    code: str


class CallDescription(TypedDict):
    """A call: its effect on the service, and whether the response needs it.

    *kind* is `nothing` for a call that sends no request: a constant, or a combination of the calls in *then*.
    *undo* is the compensation of a write. Besides the *refusals*, every call can fail with 502, 503 and 504.
    """

    name: str
    kind: Literal["read", "write", "nothing"]
    need: Literal["required", "optional", "best effort"]
    undo: NotRequired[str]
    refusals: list[DeclaredRefusal]
    then: NotRequired["list[CallDescription | StageDescription]"]


class StageDescription(TypedDict):
    """A stage and its calls, in the order in which the pipeline names them.

    The calls run in parallel, except those of a commit "in order". A call outside any stage is listed as a
    stage without *name* and *policy*. No call *after_commit* is required.
    """

    name: NotRequired[str]
    policy: NotRequired[PolicyName]
    after_commit: bool
    calls: list[CallDescription]


class PipelineDescription(TypedDict):
    """A pipeline: its method and path, its possible *statuses*, and its stages."""

    name: str
    summary: str
    method: str
    path: str
    statuses: list[int]
    stages: list[StageDescription]


class PipelineList(TypedDict):
    """Descriptions of all pipelines."""

    pipelines: list[PipelineDescription]


@final
@dataclass(frozen=True, slots=True)
class DescribedPipeline:
    """A pipeline with the results of its dry run; *run* runs the pipeline on the same example arguments."""

    plan: Plan
    spec: RouteSpec
    description: PipelineDescription
    run: Callable[[RunContext], Awaitable[Result[object, Failure]]]


def describe(route: PipelineRoute) -> DescribedPipeline:
    """Return the description of *route*'s pipeline, from a dry run on its example; no service is called.

    Raise `DryRunError` if the dry run fails, and `RegistrationError` if an argument has no example, or if the
    pipeline commits but the errors of its run do not include `Stuck`.
    """
    bound, registration = route.bound, route.registration
    arguments = bound.build_example_arguments(registration)
    found = dry_run(bound.pipeline, **arguments, **bound.services)
    if found.plan.has_commit and not bound.is_commit_declared:
        msg = f"{registration}: {found.plan.name} commits, so the errors of its run must include Stuck"
        raise RegistrationError(msg)
    spec = replace(
        route.spec,
        plan=found.plan,
        request_example=route.find_body(arguments),
        success_example=TypeAdapter[object](bound.returns).dump_python(found.value, mode="json"),
    )
    description: PipelineDescription = {
        "name": found.plan.name,
        "summary": found.plan.summary,
        "method": registration.method,
        "path": registration.path,
        "statuses": list_statuses(spec),
        "stages": [_describe_stage(stage) for stage in found.plan.stages],
    }
    return DescribedPipeline(found.plan, spec, description, lambda context: bound.run(context, **arguments))


def name_policy(policy: Policy | CommitPolicy) -> PolicyName:
    """Return the name of a stage's or a commit's policy."""
    return _POLICIES[policy]


def list_refusals(call: PlannedCall) -> list[DeclaredRefusal]:
    """Return the refusals that the service of *call* declares."""
    return [{"status": CATALOGUE[kind.code].status, "code": kind.code} for kind in call.refusals]


def _describe_stage(stage: PlannedStage) -> StageDescription:
    calls = [_describe_call(call) for call in stage.calls]
    if stage.name is None or stage.policy is None:
        return {"after_commit": stage.is_after_commit, "calls": calls}
    return {
        "name": stage.name,
        "policy": name_policy(stage.policy),
        "after_commit": stage.is_after_commit,
        "calls": calls,
    }


def _describe_call(call: PlannedCall) -> CallDescription:
    described: CallDescription = {
        "name": call.name,
        "kind": call.kind.value,
        "need": call.need.value,
        "refusals": list_refusals(call),
    }
    if call.undo is not None:
        described["undo"] = call.undo
    if call.then:
        described["then"] = [_describe_step(step) for step in call.then]
    return described


def _describe_step(step: Step) -> CallDescription | StageDescription:
    return _describe_call(step) if isinstance(step, PlannedCall) else _describe_stage(step)
