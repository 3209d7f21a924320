"""Caller of a request: the principal that a dependency of the gateway's author finds."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Final, TypeAlias, final

from fastapi import Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.dependency_overrides import DependencyOverrides
from gateway.api.problems.refusal import Refusal

__all__ = ("ANONYMOUS", "CALLER_TIMEOUT", "Caller", "CallerDependency", "CallerIdentifier")

CallerDependency: TypeAlias = Callable[..., Awaitable[str | None] | str | None]
"""A FastAPI dependency that returns the id of the principal, or None for an anonymous caller.

It raises an `HTTPException` (401 or 403) to refuse the request.
"""

CALLER_TIMEOUT: Final = "The caller could not be identified before the deadline of the request"


@final
@dataclass(frozen=True, slots=True)
class Caller:
    """Principal of a request; None if it is anonymous, or refused with the exception *refusal*."""

    principal: str | None = None
    refusal: Exception | None = field(default=None, repr=False)


ANONYMOUS: Final = Caller()


class _Identified(Response):
    """Result of a dependency, as FastAPI's handler returns it."""

    def __init__(self, principal: object) -> None:
        super().__init__()
        self.principal = principal


@final
class CallerIdentifier:
    """Identifies the callers of *route* by *dependency*, which FastAPI solves."""

    def __init__(self, dependency: CallerDependency, route: APIRoute) -> None:
        self._dependency = dependency

        async def identify(principal: Annotated[object, Depends(dependency)]) -> Response:
            return _Identified(principal)

        inner = APIRoute(
            route.path,
            identify,
            methods=route.methods,
            dependency_overrides_provider=DependencyOverrides(route),
        )
        self._solve = inner.get_route_handler()

    async def identify(self, request: Request, deadline: float) -> Caller:
        """Return the caller of *request*; an exception of the dependency becomes the refusal.

        The dependency has until *deadline* on the event loop's clock. It cannot read the body.
        """
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                return self._read(await self._solve(Request(request.scope)))
        except Exception as error:  # noqa: BLE001 - raised again after the checks that precede it
            if limit.expired():
                return Caller(refusal=Refusal(code="timed-out", detail=CALLER_TIMEOUT))
            return Caller(refusal=error)

    def _read(self, response: Response) -> Caller:
        match response:
            case _Identified(principal=None):
                return ANONYMOUS
            case _Identified(principal=str(principal)) if principal:
                return Caller(principal)
            case _:
                found = type(getattr(response, "principal", None)).__name__
                name = getattr(self._dependency, "__qualname__", repr(self._dependency))
                msg = f"{name} must return the id of the caller or None, not an empty or other value: {found}"
                raise TypeError(msg)
