"""Description of a pipeline as data, from its dry run."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NotRequired, TypeAlias, final

from pydantic_core import PydanticSerializationError, ValidationError
from typing_extensions import TypedDict  # pydantic refuses typing.TypedDict before Python 3.12

from gateway.api.openapi.error_examples import find_missing_example
from gateway.api.openapi.responses import list_statuses
from gateway.api.openapi.route_spec import RouteSpec
from gateway.api.pipeline_route.models import SuccessBody
from gateway.api.pipeline_route.registration import RegistrationError
from gateway.api.pipeline_route.route import PipelineRoute
from gateway.api.problems import own_errors
from gateway.client.examples import NoExampleError
from gateway.plan.branches import has_branches
from gateway.plan.dry_run import DryRun, DryRunError, dry_run, skip_dry_run
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
    "list_notes",
    "list_own_errors",
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
    stage without *name* and *policy*. No call *after_commit* is required. A stage with *at_once* makes its
    calls for each item of a list, at most *at_once* at the same time.
    """

    name: NotRequired[str]
    policy: NotRequired[PolicyName]
    at_once: NotRequired[int]
    after_commit: bool
    calls: list[CallDescription]


class PipelineDescription(TypedDict):
    """A pipeline: its method and path, its possible *statuses*, and its stages.

    *notes* say what is missing from the description and from the OpenAPI document, why, and what to do; they
    are absent if nothing is missing. If the dry run has failed, the stages end where it did.
    """

    name: str
    summary: str
    method: str
    path: str
    statuses: list[int]
    stages: list[StageDescription]
    notes: NotRequired[list[str]]


class PipelineList(TypedDict):
    """Descriptions of all pipelines."""

    pipelines: list[PipelineDescription]


@final
@dataclass(frozen=True, slots=True)
class DescribedPipeline:
    """A pipeline with the results of its dry run.

    *run* runs the pipeline on the same example arguments; it raises `NoExampleError` if there are none.
    """

    plan: Plan
    spec: RouteSpec
    description: PipelineDescription
    run: Callable[[RunContext], Awaitable[Result[object, Failure]]]


def describe(route: PipelineRoute) -> DescribedPipeline:
    """Return the description of *route*'s pipeline, from a dry run on its example; no service is called.

    If the pipeline does not succeed with the example, or there is none, the description has a note, and the
    statuses come from the error union of the run.

    Raise `RegistrationError` if the pipeline breaks a rule whatever the example, for instance if it writes in
    a stage, or commits although its run does not promise `Stuck`.
    """
    bound, registration = route.bound, route.registration
    arguments, found = _make_dry_run(route)
    if found.plan.has_commit and not bound.is_commit_declared:
        msg = f"{registration}: {found.plan.name} commits, so the errors of its run must include Stuck"
        raise RegistrationError(msg)
    found, example = _dump_value(found, route.body)
    spec = replace(
        route.spec,
        plan=found.plan,
        is_complete=found.obstacle is None and not has_branches(bound.pipeline.function),
        request_example=route.find_body(arguments or {}),
        parameter_examples=route.find_path_parameters(arguments or {}),
        success_example=example,
        success_headers={} if found.obstacle else route.build_headers(found.value),
    )
    description: PipelineDescription = {
        "name": found.plan.name,
        "summary": found.plan.summary,
        "method": spec.method,
        "path": registration.path,
        "statuses": list_statuses(spec),
        "stages": [_describe_stage(stage) for stage in found.plan.stages],
    }
    if notes := [*_write_notes(found, spec)]:
        description["notes"] = notes

    async def run(context: RunContext) -> Result[object, Failure]:
        if arguments is None:
            raise NoExampleError(found.obstacle)
        return await bound.run(context, **arguments)

    return DescribedPipeline(found.plan, spec, description, run)


def list_notes(pipelines: Iterable[DescribedPipeline]) -> Iterator[str]:
    """Yield the notes on *pipelines*, each in a line that names the route."""
    for pipeline in pipelines:
        for note in pipeline.description.get("notes", ()):
            yield f"{pipeline.spec.method} {pipeline.spec.path}: {note}"


def list_own_errors(pipelines: Iterable[DescribedPipeline]) -> Sequence[type[Failure]]:
    """Return the own errors of *pipelines*, each once."""
    return own_errors.list_own_errors(kind for pipeline in pipelines for kind in pipeline.spec.own_errors)


def name_policy(policy: Policy | CommitPolicy) -> PolicyName:
    """Return the name of a stage's or a commit's policy."""
    return _POLICIES[policy]


def list_refusals(call: PlannedCall) -> list[DeclaredRefusal]:
    """Return the refusals that the service of *call* declares."""
    return [{"status": own_errors.find_status(kind), "code": kind.code} for kind in call.refusals]


def _make_dry_run(route: PipelineRoute) -> tuple[Mapping[str, object] | None, DryRun]:
    """Return the example arguments of *route*, None if there are none, and the dry run with them."""
    bound = route.bound
    try:
        arguments = bound.build_example_arguments(route.registration)
    except NoExampleError as error:
        return None, skip_dry_run(bound.pipeline, str(error))
    try:
        return arguments, dry_run(bound.pipeline, **arguments, **bound.services)
    except DryRunError as error:
        msg = f"{route.registration}: {error}"
        raise RegistrationError(msg) from error


def _dump_value(found: DryRun, body: SuccessBody) -> tuple[DryRun, object]:
    """Return *found* with its value as JSON; a value that cannot be written as JSON is an obstacle."""
    if found.obstacle is not None:
        return found, None
    try:
        return found, body.to_python(found.value)
    except (PydanticSerializationError, ValidationError) as error:
        return replace(found, obstacle=f"its result cannot be written as JSON: {error}"), None


def _write_notes(found: DryRun, spec: RouteSpec) -> Iterator[str]:
    if found.obstacle is not None:
        yield (
            f"the documentation is incomplete, because the dry run of {found.plan.name} did not succeed:"
            f" {found.obstacle}; give examples with which it does, in Route(example=...) or with"
            " Field(examples=[...]) in the types of its parameters and of the services' answers"
        )
    for kind in spec.own_errors:
        if (reason := find_missing_example(kind)) is not None:
            yield (
                f"the documentation has no example of {kind.__name__}: {reason}; add Field(examples=[...])"
            )


def _describe_stage(stage: PlannedStage) -> StageDescription:
    calls = [_describe_call(call) for call in stage.calls]
    if stage.name is None or stage.policy is None:
        return {"after_commit": stage.is_after_commit, "calls": calls}
    described: StageDescription = {
        "name": stage.name,
        "policy": name_policy(stage.policy),
        "after_commit": stage.is_after_commit,
        "calls": calls,
    }
    if stage.at_once is not None:
        described["at_once"] = stage.at_once
    return described


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
