"""Example problems of a pipeline route, by status: the route's own refusals and its pipeline's failures."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Final, TypeAlias

from gateway.api.admission.admission import OVERLOADED, RATE_LIMITED
from gateway.api.headers import INVALID_TIMEOUT
from gateway.api.openapi.components import EXAMPLE_EXECUTION_ID, EXAMPLE_REQUEST_ID
from gateway.api.openapi.error_examples import EXAMPLES
from gateway.api.openapi.failure_examples import NamedFailure, exemplify_plan, exemplify_promise
from gateway.api.openapi.route_spec import RouteSpec
from gateway.api.pipeline_route.body import BODY_TIMEOUT, NOT_DECLARED_AS_JSON, TOO_LARGE
from gateway.api.pipeline_route.commit_request import IDEMPOTENCY_MISMATCH
from gateway.api.pipeline_route.solver import DEPENDENCY_TIMEOUT
from gateway.api.problems.catalogue import CATALOGUE
from gateway.api.problems.problem import AggregateProblem, Problem, build_plain_problem, build_problem
from gateway.api.problems.violations import INVALID_REQUEST_DETAIL, NOT_JSON
from gateway.plan.plan import Plan
from gateway.railway import (
    Aggregate,
    CommitPolicy,
    Failure,
    Forbidden,
    Invalid,
    Stuck,
    TimedOut,
    Unauthorized,
    Unexpected,
)

__all__ = ("INVALID_REQUEST", "ProblemExample", "ProblemExamples", "exemplify_failure", "exemplify_problems")

ProblemExample: TypeAlias = Problem | AggregateProblem
ProblemExamples: TypeAlias = Mapping[str, ProblemExample]
"""Problems with the same status, by the example's name."""

_REFUSALS: Final[Mapping[str, str]] = {
    "malformed": f"{NOT_JSON}: expected value at line 1 column 1",
    "invalid-header": INVALID_TIMEOUT,
    "request-timeout": BODY_TIMEOUT,
    "too-large": TOO_LARGE,
    "unsupported-media-type": NOT_DECLARED_AS_JSON,
    "rate-limited": RATE_LIMITED,
    "overloaded": OVERLOADED,
}
"""The detail of each refusal that a pipeline route itself sends, by the example's name."""
_CODES: Final[Mapping[str, str]] = {"rate-limited": "rate-limited", "overloaded": "unavailable"}
"""Codes that the route itself and a failing service can both cause, by the example's name."""
_NOT_AUTHENTICATED: Final = "Not authenticated"
"""The detail that FastAPI's security schemes send."""
_NOT_PERMITTED: Final = "Not permitted"
_BODY_REFUSALS: Final = frozenset({"malformed", "unsupported-media-type"})
_MISMATCH: Final = "idempotency-mismatch"

INVALID_REQUEST: Final = Invalid(
    INVALID_REQUEST_DETAIL,
    violations=(("quantity", ("must be at least 1",)), ("adress", ("is not a known field",))),
)
"""Example of a request that does not validate, for a route without a `RouteSpec`."""


def exemplify_problems(spec: RouteSpec) -> Mapping[int, ProblemExamples]:
    """Return examples of all problems of the route by status, then by name; its own refusals come first."""
    by_status: dict[int, dict[str, ProblemExample]] = {}
    for name, example in (*_exemplify_refusals(spec), *_exemplify_pipeline(spec)):
        by_status.setdefault(example["status"], {})[name] = example
    return by_status


def exemplify_failure(failure: Failure, path: str) -> ProblemExample:
    """Return the problem that a route at *path* sends for *failure*."""
    return build_problem(failure, instance=_build_instance(path), request_id=EXAMPLE_REQUEST_ID)


def _exemplify_refusals(spec: RouteSpec) -> Iterator[tuple[str, ProblemExample]]:
    """Yield the problems that the route itself sends, most of them before its pipeline runs."""
    for name, detail in _REFUSALS.items():
        if spec.has_body or name not in _BODY_REFUSALS:
            yield name, _build_refusal(spec, _CODES.get(name, name), detail)
    if spec.has_dependencies:
        yield "dependency-timeout", _build_refusal(spec, TimedOut.code, DEPENDENCY_TIMEOUT)
    if spec.can_refuse_callers:
        yield "credentials", _build_refusal(spec, Unauthorized.code, _NOT_AUTHENTICATED)
        yield "permission", _build_refusal(spec, Forbidden.code, _NOT_PERMITTED)
    if spec.invalid_request is not None:
        yield "invalid-request", exemplify_failure(spec.invalid_request, spec.path_format)
    yield Unexpected.code, exemplify_failure(EXAMPLES[Unexpected], spec.path_format)
    if spec.has_commit:
        yield _MISMATCH, _build_refusal(spec, _MISMATCH, IDEMPOTENCY_MISMATCH)


def _build_refusal(spec: RouteSpec, code: str, detail: str) -> Problem:
    instance = _build_instance(spec.path_format)
    return build_plain_problem(
        code, detail, status=CATALOGUE[code].status, instance=instance, request_id=EXAMPLE_REQUEST_ID
    )


def _exemplify_pipeline(spec: RouteSpec) -> Iterator[tuple[str, ProblemExample]]:
    """Yield the problems for the failures of the route's pipeline.

    A dry run takes only one branch of the pipeline. A promised status that does not occur on this branch
    keeps its generic examples, except 207, which is sent only if two calls of a stage can be refused. If the
    dry run is incomplete, 207 keeps them too.
    """
    promised = [*_build_problems(spec, exemplify_promise(spec.promised))]
    if spec.plan is None:
        yield from promised
        return
    commits = _list_commit_calls(spec.plan)
    planned = [*_build_problems(spec, exemplify_plan(spec.promised, spec.plan), commits)]
    covered = {example["status"] for _, example in planned}
    if spec.is_complete:
        covered.add(HTTPStatus.MULTI_STATUS)
    yield from planned
    yield from ((name, example) for name, example in promised if example["status"] not in covered)


def _build_problems(
    spec: RouteSpec, failures: Iterable[NamedFailure], commit_calls: Collection[str] = ()
) -> Iterator[tuple[str, ProblemExample]]:
    """Yield the problems of *failures*; those that a commit can cause have an execution id."""
    for name, failure in failures:
        example = exemplify_failure(failure, spec.path_format)
        parts = failure.errors if isinstance(failure, Aggregate) else (failure,)
        if any(isinstance(part, Stuck) or part.source in commit_calls for part in parts):
            example["execution_id"] = EXAMPLE_EXECUTION_ID
        yield name, example


def _list_commit_calls(plan: Plan) -> Collection[str]:
    commits = tuple(stage for stage in plan.stages if isinstance(stage.policy, CommitPolicy))
    return {call.name for call in replace(plan, stages=commits).calls}


def _build_instance(path: str) -> str:
    """Return *path* as in a request, with the names of its parameters as their values."""
    return path.replace("{", "").replace("}", "")
