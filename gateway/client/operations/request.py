"""Request of a call or a write, and the rules by which its response is interpreted."""

from collections.abc import Callable, Container, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar, final

import httpx

from gateway.client.answers.body import check_headers
from gateway.client.answers.readers import Reader
from gateway.client.answers.refusals import IsRefusal
from gateway.client.operations.request_body import RequestBody
from gateway.client.operations.request_headers import EncodedHeaders, format_forwarded
from gateway.http1 import Origin, PreparedRequest, ReceivedResponse
from gateway.railway import Fault, Result, UpstreamFault

__all__ = ("MAX_REQUEST_LINE", "SUCCESSES", "MakeRequest", "Request", "ResponseRules")

T = TypeVar("T")
E = TypeVar("E", bound=Fault)

MAX_REQUEST_LINE: Final = 8000
"""Octets of a request line that every service should accept (RFC 9112, 3); some accept no more."""

SUCCESSES: Final = range(200, 300)

_METHODS_WITH_CONTENT: Final = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose requests have a `Content-Length` even without a body (RFC 9110, 8.6)."""


@final
@dataclass(frozen=True, slots=True)
class ResponseRules(Generic[T, E]):
    """Rules by which the responses of the operation *name* are interpreted.

    - *read*: reads the value of a successful response.
    - *declared*: classes of the declared failures by status; they take precedence over *success*.
    - *is_refusal*: returns whether a response with a declared status comes from the service itself.
    - *success*: statuses of a success.
    - *max_body*: most bytes of a body that are read.
    """

    name: str
    read: Reader[T]
    declared: Mapping[int, type[E]]
    is_refusal: IsRefusal
    success: Container[int]
    max_body: int

    def needs_body(self, response: ReceivedResponse) -> bool:
        """Return whether the body of *response* matters, as far as its status and its headers show."""
        if response.status_code in self.declared:
            return check_headers(response, self.max_body) is None
        return response.status_code in self.success and self.read.needs_body(response)


# Not frozen: a frozen dataclass takes three to four times as long to create, and every call creates one.
@final
@dataclass(slots=True, eq=False, repr=False)
class Request(Generic[T, E]):
    """Request of a call, with all headers except those of each attempt; its `repr` shows none of it.

    *target* is None if the request line would exceed `MAX_REQUEST_LINE`, so that nothing can be sent.
    *fits* returns False for a value that does not belong to the request; None if every value does.
    """

    rules: ResponseRules[T, E]
    method: str
    target: bytes | None
    headers: EncodedHeaders
    body: RequestBody | None
    fits: Callable[[T], bool] | None

    def prepare(self, origin: Origin, budget: float, forwarded: Mapping[str, str]) -> PreparedRequest:
        """Build the HTTP request of an attempt that has *budget* seconds, with *forwarded* headers.

        Raise `httpx.InvalidURL` without a target, and `httpx.LocalProtocolError` for an invalid header.
        """
        if self.target is None:
            msg = f"the request line exceeds {MAX_REQUEST_LINE} octets"
            raise httpx.InvalidURL(msg)
        content = b"" if self.body is None else self.body.content
        has_length = self.body is not None or self.method in _METHODS_WITH_CONTENT
        head = b"%b%bx-envoy-expected-rq-timeout-ms: %d\r\n%b" % (
            self.headers.lines,
            format_forwarded(forwarded),
            max(1, budget * 1000),
            b"content-length: %d\r\n" % len(content) if has_length else b"",
        )
        # Half of the budget: an unreachable host becomes Unavailable, only a hanging service TimedOut.
        timeouts = {"connect": budget / 2, "pool": budget / 2}
        extensions = {"timeout": timeouts, "max_body": self.rules.max_body}
        return PreparedRequest(self.method, origin, self.target, head, content, extensions)


class MakeRequest(Protocol):
    """Function that makes a request, with the policies of its service."""

    def __call__(self, request: Request[T, E], /) -> Coroutine[Any, Any, Result[T, E | UpstreamFault]]:
        """Make *request*, and return its value or its failure."""
        ...
