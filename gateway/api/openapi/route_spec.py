"""Specification of a pipeline route, for the OpenAPI document and `GET /pipelines`."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import final

from starlette.routing import compile_path

from gateway.plan.plan import Plan
from gateway.railway import Failure, Invalid, Stuck

__all__ = ("RouteSpec",)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSpec:
    """Specification of a pipeline route: its path, its request, and the data for its responses.

    - *pipeline* is the pipeline's name, *promised* its error union, *plan* the result of its dry run
    - *request_example* is the body of the dry run, *success_example* its result, both as JSON values
    - *invalid_request* is the failure of a request that does not validate, None if there are no fields
    - *header_parameters* are names of parameters in the `components` of the OpenAPI document
    - *declared_statuses* are statuses that the author of the route documents, besides the derived ones
    """

    method: str
    path: str
    pipeline: str
    promised: tuple[type[Failure], ...] = ()
    plan: Plan | None = None
    success_status: int = HTTPStatus.OK
    success_example: object = None
    request_example: object = None
    invalid_request: Invalid | None = None
    has_body: bool = False
    needs_bearer: bool = False
    header_parameters: tuple[str, ...] = ()
    declared_statuses: tuple[int, ...] = ()

    @property
    def has_commit(self) -> bool:
        """Return whether the pipeline writes: only a run that commits can get stuck."""
        return Stuck in self.promised

    @property
    def path_format(self) -> str:
        """Return the path as OpenAPI writes it, without Starlette's converters (`/files/{name:path}`)."""
        _, path_format, _ = compile_path(self.path)
        return path_format
