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
    """Problem type: its status, and a paragraph for `GET /problems/{code}`."""

    status: HTTPStatus
    explanation: str


# RFC 9110's names of 413 and 422 are only in Python 3.13 and later; titles come from `find_title`.
CATALOGUE: Final[Mapping[str, ProblemType]] = MappingProxyType(
    {
        "malformed": ProblemType(
            HTTPStatus.BAD_REQUEST,
            "The body is empty or is not JSON in UTF-8 (RFC 8259). For example, it is truncated or nested too"
            " deeply, or contains NaN or Infinity as a number, or a lone surrogate in a string. Or the"
            " request as a whole is not valid HTTP/1.1 (RFC 9112). Nothing was done; the same bytes will be"
            " refused again.",
        ),
        "invalid-header": ProblemType(
            HTTPStatus.BAD_REQUEST,
            "A request header has an invalid value; the detail names the header. X-Request-Timeout-Ms must be"
            " a whole number of milliseconds, at least 1, in decimal digits and sent once. Idempotency-Key"
            " must be 1 to 255 visible ASCII characters, bare or in double quotes. Nothing was done.",
        ),
        "unauthorized": ProblemType(
            HTTPStatus.UNAUTHORIZED,
            "The request has no credentials, or they are invalid or have expired. The header WWW-Authenticate"
            " names the scheme to use. Get fresh credentials, then send the request again.",
        ),
        "forbidden": ProblemType(
            HTTPStatus.FORBIDDEN,
            "The request is understood but not allowed; the detail says why. The same request will be refused"
            " again.",
        ),
        "not-found": ProblemType(
            HTTPStatus.NOT_FOUND,
            "Something that the request refers to does not exist. The detail says what; source, if present,"
            " names the call that looked for it. The path of the request is correct: an unknown path is"
            " route-not-found.",
        ),
        "route-not-found": ProblemType(
            HTTPStatus.NOT_FOUND,
            "No endpoint has this path. Check the spelling, and that there is no extra slash at the end."
            " /openapi.json and /docs list all paths.",
        ),
        "method-not-allowed": ProblemType(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "This path does not support the method of the request. The header Allow lists the supported"
            " methods.",
        ),
        "conflict": ProblemType(
            HTTPStatus.CONFLICT,
            "The request is valid, but conflicts with the current state of something that it refers to; the"
            " detail says why. The same request may succeed once that state has changed.",
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
            "The body did not arrive before the deadline of the request. Nothing was done; the connection is"
            " closed.",
        ),
        "too-large": ProblemType(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "The body of the request is larger than 64 KiB. It was not read to its end, and nothing was"
            " done.",
        ),
        "uri-too-long": ProblemType(
            HTTPStatus.REQUEST_URI_TOO_LONG,
            "The request line, with the path and the query, is longer than 16 KiB. Nothing was done.",
        ),
        "unsupported-media-type": ProblemType(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "The body must be declared as JSON, with Content-Type: application/json or a type that ends in"
            " +json, in UTF-8, and must not be compressed. Nothing was done.",
        ),
        "invalid": ProblemType(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "The request is well formed but breaks a rule: a field is missing, unknown, of the wrong type"
            " or out of range, or a service refused a value. violations lists the messages of each field."
            " A field is a dotted path in the body, or a parameter of the path or query, a header or a"
            " cookie; an empty field stands for the request as a whole.",
        ),
        "rate-limited": ProblemType(
            HTTPStatus.TOO_MANY_REQUESTS,
            "Too many requests: from this caller to the gateway or, if there is a source, from the gateway to"
            " that service. A caller is a client address, or a principal where the gateway identifies its"
            " callers. RateLimit-Policy is the limit per caller, and RateLimit its remainder, which refills"
            " evenly; a refused request costs nothing. Wait for the seconds in the header Retry-After, if"
            " present, before retrying.",
        ),
        "idempotency-mismatch": ProblemType(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "This caller has used the same Idempotency-Key for a different request to this endpoint within"
            " the last 24 hours. Nothing was done. Send the original body to get its response, or use another"
            " key.",
        ),
        "headers-too-large": ProblemType(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            "The headers and the request line are larger than 32 KiB, or there are more than 256 headers."
            " Nothing was done. Cookies are a common cause.",
        ),
        "unexpected": ProblemType(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "There is a bug in the gateway. Its log has the cause under the fault id in the detail;"
            " report that id, or the request_id, to the operator. If there is an execution_id, a commit"
            " had begun: /executions/{execution_id} shows the outcome of its writes.",
        ),
        "stuck": ProblemType(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "The request failed after some writes were made, and they could not be undone in time."
            " /executions/{execution_id} shows which writes remain; the operator can retry the undo. Do not"
            " send the request again under another Idempotency-Key.",
        ),
        "bad-answer": ProblemType(
            HTTPStatus.BAD_GATEWAY,
            "A service behind the gateway sent a response that the gateway cannot use: an undeclared"
            " error, or an invalid body. The request itself is fine.",
        ),
        "unavailable": ProblemType(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "A service behind the gateway cannot be reached or is overloaded, or its circuit breaker is open."
            " Or the gateway itself is overloaded, or too little of the deadline was left to begin a commit:"
            " in both cases nothing was written. Wait for the seconds in the header Retry-After, if present,"
            " before retrying.",
        ),
        "timed-out": ProblemType(
            HTTPStatus.GATEWAY_TIMEOUT,
            "A service behind the gateway, or a dependency of the endpoint, did not respond in time. It is"
            " slow, or the caller left too little time with X-Request-Timeout-Ms.",
        ),
        "aggregate": ProblemType(
            HTTPStatus.MULTI_STATUS,
            "Several calls failed. errors lists the failures in the order in which the pipeline names the"
            " calls, whichever responded first. completed is always false: no part of the response is a"
            " success. The status is 207 if every error is a client error (4xx), otherwise the highest 5xx"
            " among them.",
        ),
    }
)
"""Every problem type that can be sent, by its code."""
