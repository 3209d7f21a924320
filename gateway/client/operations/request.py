"""Request of a call or a write, and the rules by which its response is interpreted."""

from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, final

import httpx

from gateway.client.answers.refusals import IsRefusal
from gateway.client.operations.request_body import RequestBody
from gateway.client.operations.request_headers import EncodedHeaders
from gateway.observability.reason import Reason
from gateway.railway import Fault, Result, UpstreamFault

__all__ = ("MakeRequest", "Request", "ResponseRules")

T = TypeVar("T")
E = TypeVar("E", bound=Fault)


@final
@dataclass(frozen=True, slots=True)
class ResponseRules(Generic[T, E]):
    """Rules by which the responses of the operation *name* are interpreted.

    - *read*: returns the value of a successful response, or the reason why it is unusable.
    - *declared*: classes of the declared failures by status; they take precedence over *success*.
    - *is_refusal*: returns whether a response with a declared status comes from the service itself.
    - *success*: statuses of a success; None for every 2xx.
    """

    name: str
    read: Callable[[httpx.Response], Awaitable[Result[T, Reason]]]
    declared: Mapping[int, type[E]]
    is_refusal: IsRefusal
    success: Collection[int] | None = None

    def is_success(self, response: httpx.Response) -> bool:
        """Return whether the status of *response* is a success."""
        return response.is_success if self.success is None else response.status_code in self.success


# Not frozen: a frozen dataclass takes three to four times as long to create, and every call creates one.
@final
@dataclass(slots=True, eq=False, repr=False)
class Request(Generic[T, E]):
    """Request of a call, with all headers except those of each attempt; its `repr` shows none of it.

    *url* is None if the request line would exceed `MAX_REQUEST_LINE`, so that nothing can be sent.
    *fits* returns False for a value that does not belong to the request; None if every value does.
    """

    rules: ResponseRules[T, E]
    method: str
    url: httpx.URL | None
    headers: EncodedHeaders
    body: RequestBody | None
    fits: Callable[[T], bool] | None


class MakeRequest(Protocol):
    """Function that makes a request, with the policies of its service."""

    def __call__(self, request: Request[T, E], /) -> Coroutine[Any, Any, Result[T, E | UpstreamFault]]:
        """Make *request*, and return its value or its failure."""
        ...
