"""Specification of a pipeline route, for the OpenAPI document and `GET /pipelines`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import final

from starlette.routing import compile_path

from gateway.api.problems.own_errors import list_own_errors
from gateway.plan.plan import Plan
from gateway.railway import Failure, Invalid, Stuck

__all__ = ("RouteSpec",)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSpec:
    """Specification of a pipeline route: its path, its request, and the data for its responses.

    - *pipeline* is the pipeline's name, *promised* its error union, *plan* the result of its dry run, which
      has every stage that the pipeline can make if it *is_complete*
    - *request_example* is the body of the dry run, *success_example* its result, both as JSON values
    - *parameter_examples* are the path parameters of the dry run by name, as JSON values
    - *success_headers* are the route's own headers of a success, with example values
    - *invalid_request* is the failure of a request that does not validate, None if there are no fields
    - *has_dependencies* is true if FastAPI calls dependencies, *can_refuse_callers* if they send 401 and 403
    - *header_parameters* are names of parameters in the `components` of the OpenAPI document
    - *declared_statuses* are statuses that the author of the route documents, besides the derived ones
    """

    method: str
    path: str
    pipeline: str
    promised: tuple[type[Failure], ...] = ()
    plan: Plan | None = None
    is_complete: bool = True
    success_status: int = HTTPStatus.OK
    success_example: object = None
    success_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    request_example: object = None
    parameter_examples: Mapping[str, object] = field(default_factory=dict[str, object])
    invalid_request: Invalid | None = None
    has_body: bool = False
    needs_bearer: bool = False
    has_dependencies: bool = False
    can_refuse_callers: bool = False
    header_parameters: tuple[str, ...] = ()
    declared_statuses: tuple[int, ...] = ()

    @property
    def has_commit(self) -> bool:
        """Return whether the pipeline writes: only a run that commits can get stuck."""
        return Stuck in self.promised

    @property
    def own_errors(self) -> tuple[type[Failure], ...]:
        """Return the own errors that the run promises, also those that a call declares for a base class."""
        calls = () if self.plan is None else self.plan.required_calls
        refusals = (kind for call in calls for kind in call.refusals if issubclass(kind, self.promised))
        return list_own_errors((*self.promised, *refusals))

    @property
    def path_format(self) -> str:
        """Return the path as OpenAPI writes it, without Starlette's converters (`/files/{name:path}`)."""
        _, path_format, _ = compile_path(self.path)
        return path_format
