"""Load shedding before the application: refusals of an overloaded gateway, from prebuilt bytes."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, TypeAlias, final

from pydantic_core import to_json

from gateway.api.admission.admission import OVERLOADED, RETRY_AFTER_OVERLOAD
from gateway.api.application import Gateway
from gateway.api.pipeline_route.route import PipelineRoute
from gateway.api.problems.problem import ProblemResponse, build_plain_problem
from gateway.api.request_scope import choose_request_id
from gateway.observability.server_timing import TimingHeaders

__all__ = ("FrontDoor",)

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

_TARGET: Final = re.compile(rb"(?P<path>/[A-Za-z0-9._~/-]*)(\?.*)?")
"""A path without encoded characters, and a query."""

_STATUS_LINE: Final = b"HTTP/1.1 503 Service Unavailable\r\n"
_INSTANCE: Final = "INSTANCE"
_REQUEST_ID: Final = "REQUEST-ID"


@final
class FrontDoor:
    """Refuses requests for the pipelines of *app* while the limit of requests in flight is reached.

    The response is that of the routes, for a small part of their CPU. Otherwise clients that retry at once
    could keep an overloaded gateway busy with refusals alone.

    The routes themselves refuse requests whose response depends on more than the path: those with an `Origin`
    if there are CORS origins, those to a path with a prefix or with encoded characters, and all if there is a
    rate limit, against which they count.
    """

    def __init__(self, app: Gateway) -> None:
        admission = app.shared.admission
        self._in_flight = admission.in_flight
        self._is_used = not admission.has_rate_limit
        self._routes = [route for route in app.routes if isinstance(route, PipelineRoute)]
        self._others = frozenset({b"x-forwarded-prefix", *([b"origin"] if app.has_cors else [])})
        problem = build_plain_problem(
            "unavailable",
            OVERLOADED,
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            instance=_INSTANCE,
            request_id=_REQUEST_ID,
            prefix=app.prefix,
        )
        timing = TimingHeaders(app.shared.server_timing, app.shared.timing_origins).build_without_trace()
        headers = {**RETRY_AFTER_OVERLOAD, "Gateway-Completed": "false", **timing}
        response = ProblemResponse(problem, headers | ({"Vary": "Origin"} if app.has_cors else {}))
        self._headers = b"".join(
            b"%b: %b\r\n" % header for header in response.raw_headers if header[0] != b"content-length"
        )
        self._before_instance, _, rest = bytes(response.body).partition(to_json(_INSTANCE))
        self._before_id, _, self._after_id = rest.partition(to_json(_REQUEST_ID))
        self._prefix = app.prefix.encode()

    @property
    def is_shut(self) -> bool:
        """Return whether requests are refused."""
        return self._is_used and self._in_flight.is_full

    def refuse(self, method: bytes, target: bytes, headers: Headers, first: Headers = ()) -> bytes | None:
        """Return the response to a request while the door is shut, or None if the app is to handle it.

        *headers* have names in lower case; the headers of the response begin with *first*, such as `Date`.
        """
        plain = _TARGET.fullmatch(target)
        if plain is None or not self._others.isdisjoint(name for name, _ in headers):
            return None
        path: bytes = plain["path"]
        route = self._find_route(method, path)
        if route is None:
            return None
        self._in_flight.refused += 1
        if route.metrics is not None:
            route.metrics.record_refusal(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable")
        request_id = choose_request_id(headers)
        body = b"".join(
            (
                self._before_instance,
                b'"%b%b"' % (self._prefix, path),
                self._before_id,
                to_json(request_id),
                self._after_id,
            )
        )
        head = [_STATUS_LINE, *[b"%b: %b\r\n" % header for header in first], self._headers]
        end = b"x-request-id: %b\r\ncontent-length: %d\r\n\r\n" % (request_id.encode("ascii"), len(body))
        return b"".join((*head, end, body))

    def _find_route(self, method: bytes, path: bytes) -> PipelineRoute | None:
        if self._prefix and (path + b"/").startswith(self._prefix + b"/"):
            return None
        name, text = method.decode("latin-1"), path.decode("ascii")
        for route in self._routes:
            if name == route.method and route.path_regex.fullmatch(text):
                return route
        return None
