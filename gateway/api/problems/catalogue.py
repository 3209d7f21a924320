"""Catalogue of problem types: status and explanation of each code."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, final

__all__ = ("CATALOGUE", "ProblemType")


@final
@dataclass(frozen=True, slots=True)
class ProblemType:
    """One problem type: the status that it is sent with, and a paragraph for `GET /problems/{code}`."""

    status: HTTPStatus
    explanation: str


# The names of 413 and 422 are not those of RFC 9110: Python has them only since 3.13 (python/cpython#102247).
CATALOGUE: Final[Mapping[str, ProblemType]] = MappingProxyType(
    {
        "malformed": ProblemType(
            HTTPStatus.BAD_REQUEST,
            "The body is empty or is not JSON in UTF-8 (RFC 8259): it is truncated, nested too deeply,"
            " contains NaN or Infinity as a number, or a lone surrogate in a string. Nothing was done; the"
            " same bytes will be refused again.",
        ),
        "invalid-header": ProblemType(
            HTTPStatus.BAD_REQUEST,
            "A request header has an invalid value; the detail names the header. X-Request-Timeout-Ms is"
            " a whole number of milliseconds from 1, in decimal digits and sent once. Idempotency-Key is 1"
            " to 255 visible ASCII characters, bare or in double quotes. Nothing was done.",
        ),
        "unauthorized": ProblemType(
            HTTPStatus.UNAUTHORIZED,
            "The request has no credentials, or they are invalid or have expired. The header WWW-Authenticate"
            " names the scheme to use. Get fresh credentials, then send the request again.",
        ),
        "forbidden": ProblemType(
            HTTPStatus.FORBIDDEN,
            "The request is understood and its caller may be known, but it is not allowed: the detail"
            " says why. The same request will be refused again.",
        ),
        "not-found": ProblemType(
            HTTPStatus.NOT_FOUND,
            "Something that the request refers to does not exist: the detail names it, and source names"
            " the call that looked for it. The address of the request itself is right; see route-not-found"
            " for one that is not.",
        ),
        "route-not-found": ProblemType(
            HTTPStatus.NOT_FOUND,
            "No endpoint has this address. Check the spelling, and that there is no extra slash at the"
            " end; all addresses are listed in /openapi.json and shown in /docs.",
        ),
        "method-not-allowed": ProblemType(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "This address does not support the method of the request. The header Allow lists those that it"
            " supports.",
        ),
        "conflict": ProblemType(
            HTTPStatus.CONFLICT,
            "The request is valid, but the current state of something that it refers to does not allow"
            " it; the detail says why. The same request may succeed once that state has changed.",
        ),
        "gone": ProblemType(
            HTTPStatus.GONE,
            "Something that the request refers to existed and has been removed for good.",
        ),
        "precondition-failed": ProblemType(
            HTTPStatus.PRECONDITION_FAILED,
            "Something has changed since the caller read it. Read it again, decide again, and send the"
            " request with the new version.",
        ),
        "request-timeout": ProblemType(
            HTTPStatus.REQUEST_TIMEOUT,
            "The body of the request did not arrive before the deadline of the request. Nothing was done; the"
            " connection is closed.",
        ),
        "too-large": ProblemType(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "The body of the request is larger than 64 KiB. It was not read to its end, and nothing was"
            " done.",
        ),
        "unsupported-media-type": ProblemType(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "The body must be declared as JSON, with Content-Type: application/json or a type that ends in"
            " +json, in UTF-8, and must not be compressed. Nothing was done.",
        ),
        "invalid": ProblemType(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "The request is well formed but breaks a rule: a field is missing, unknown, of the wrong type"
            " or out of range, or a service refused a value. violations lists the fields, each by its"
            " dotted path in the body or its name in the address, with messages; an empty name stands for"
            " the request as a whole.",
        ),
        "rate-limited": ProblemType(
            HTTPStatus.TOO_MANY_REQUESTS,
            "There were too many requests: from this address to the gateway or, where there is a source,"
            " from the gateway to that service. RateLimit-Policy is the limit per address, and RateLimit"
            " what is left of it; it refills evenly, and a refused request costs nothing. Wait for the"
            " seconds in the header Retry-After, where there is one, before retrying.",
        ),
        "idempotency-mismatch": ProblemType(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "This caller has used the Idempotency-Key at this address within the last 24 hours for a"
            " different request. Nothing was done. Send the original body to get its response, or use"
            " another key.",
        ),
        "unexpected": ProblemType(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "There is a bug in the gateway. Its log has the reason under the fault id in the detail;"
            " report that id, or the request_id, to the operator. If there is an execution_id, a commit"
            " had begun: /executions/{execution_id} shows whether its writes stand.",
        ),
        "stuck": ProblemType(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "The request failed after some writes were made, and they could not be undone in time."
            " /executions/{execution_id} shows which ones remain; the operator can retry the undo. Do not"
            " send the request again under another Idempotency-Key.",
        ),
        "bad-answer": ProblemType(
            HTTPStatus.BAD_GATEWAY,
            "A service behind the gateway sent a response that the gateway cannot use: an undeclared"
            " error, or an invalid body. The request itself is fine.",
        ),
        "unavailable": ProblemType(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "A service behind the gateway, or the gateway itself, cannot be reached or is overloaded, or"
            " the circuit breaker of the service is open; or too little of the deadline was left to begin"
            " a commit, so that nothing was written. Wait for the seconds in the header Retry-After, where"
            " there is one, before retrying.",
        ),
        "timed-out": ProblemType(
            HTTPStatus.GATEWAY_TIMEOUT,
            "A service behind the gateway did not respond in time. It is slow, or the caller left too"
            " little time with X-Request-Timeout-Ms.",
        ),
        "aggregate": ProblemType(
            HTTPStatus.MULTI_STATUS,
            "Several calls failed. errors lists each failure, in the order in which the pipeline names"
            " the calls, whichever responded first; completed is false: no part of the response is a"
            " success. The status is 207 if every error is a client error (4xx), otherwise the highest of"
            " the 5xx among them.",
        ),
    }
)
"""Every problem type that can be sent, by its code."""
