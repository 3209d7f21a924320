"""CORS middleware whose refusals are problems."""

from typing import final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from gateway.api.problems.exception_handlers import build_exception_response
from gateway.api.problems.refusal import Refusal

__all__ = ("ProblemCORSMiddleware",)


@final
class ProblemCORSMiddleware(CORSMiddleware):
    """Starlette's CORS middleware; a refused preflight is a problem in place of plain text."""

    @override
    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        return _RefusedPreflight(response) if response.status_code >= 400 else response  # noqa: PLR2004


@final
class _RefusedPreflight(Response):
    """Problem in place of the *plain* response, whose text is the detail."""

    def __init__(self, plain: Response) -> None:
        super().__init__()
        self._plain = plain

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the problem, with the CORS headers of the plain response."""
        refusal = Refusal(code="invalid-header", detail=bytes(self._plain.body).decode())
        problem = build_exception_response(refusal, scope)
        for name, value in self._plain.headers.items():
            problem.headers.setdefault(name, value)
        await problem(scope, receive, send)
