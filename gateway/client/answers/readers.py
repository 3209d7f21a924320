"""Readers of successful responses: one parses the body, one only checks that it is no HTML page."""

from typing import Protocol, TypeVar, final

from typing_extensions import override

from gateway.client.answers.body import check_headers, is_without_content, read_body
from gateway.client.answers.pages import PAGE, begins_like_page, is_labelled_page
from gateway.client.answers.validation import AnswerValidator
from gateway.http1 import ReceivedResponse
from gateway.observability.reason import Reason
from gateway.railway import Err, Ok, Result

__all__ = ("EmptyReader", "Reader", "ValueReader")

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Reader(Protocol[T_co]):
    """Reader of a successful response."""

    def __call__(self, response: ReceivedResponse, /) -> Result[T_co, Reason]:
        """Return the value of *response*, or the reason why it is unusable.

        Raise the exception that has cut the body short, if the body matters.
        """
        ...

    def needs_body(self, response: ReceivedResponse, /) -> bool:
        """Return whether the body of *response* matters, as far as its status and its headers show."""
        ...


@final
class ValueReader(Reader[T]):
    """Reader of the value that *validate* returns for a body of at most *limit* bytes.

    `read_body` says which bodies are usable. The media type is ignored, since parsing shows whether the body
    is JSON. A 204 (No Content) or 205 counts as JSON's `null`.
    """

    __slots__ = ("_limit", "_validate")

    def __init__(self, validate: AnswerValidator[T], limit: int) -> None:
        self._validate = validate
        self._limit = limit

    @override
    def __call__(self, response: ReceivedResponse, /) -> Result[T, Reason]:
        if is_without_content(response):
            return self._validate(b"null")
        body = read_body(response, self._limit)
        return body if isinstance(body, Err) else self._validate(body.value)

    @override
    def needs_body(self, response: ReceivedResponse, /) -> bool:
        return not is_without_content(response) and check_headers(response, self._limit) is None


@final
class EmptyReader(Reader[None]):
    """Reader of None, whatever the body is, unless it is an HTML page, declared as such or not.

    A page comes from a proxy: the service may not have received the request.
    """

    __slots__ = ()

    @override
    def __call__(self, response: ReceivedResponse, /) -> Result[None, Reason]:
        if is_without_content(response):
            return Ok(None)
        is_page = is_labelled_page(response) or begins_like_page(response.body.lstrip())
        return Err(PAGE) if is_page else Ok(None)

    @override
    def needs_body(self, response: ReceivedResponse, /) -> bool:
        return not is_without_content(response) and not is_labelled_page(response)
