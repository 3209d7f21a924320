"""The kinds of problems: for each code its status and what a caller should know about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, final

__all__ = ("CATALOGUE", "Kind")


@final
@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: the status it is sent with, and a paragraph for `GET /problems/{code}`."""

    status: HTTPStatus
    explanation: str


CATALOGUE: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "malformed": Kind(
            HTTPStatus.BAD_REQUEST,
            "The body is empty or is not JSON in UTF-8 (RFC 8259): it is cut short, nested too deeply,"
            " has NaN or Infinity in the place of a number, or a lone surrogate in a string. Nothing was"
            " done; sending the same bytes again will fail again.",
        ),
        "invalid-header": Kind(
            HTTPStatus.BAD_REQUEST,
            "A request header has a value that it cannot have, and the detail says which."
            " X-Request-Timeout-Ms is a whole number of milliseconds from 1, in decimal digits and sent once."
            " Idempotency-Key is 1 to 255 visible ASCII characters, bare or in double quotes. Nothing was"
            " done.",
        ),
        "unauthorized": Kind(
            HTTPStatus.UNAUTHORIZED,
            "The request does not say who is asking, or says so with a credential that is not valid or"
            " not valid any more. The header WWW-Authenticate names the scheme to use. Get a fresh"
            " credential, then send the request again.",
        ),
        "forbidden": Kind(
            HTTPStatus.FORBIDDEN,
            "It is known who is asking and what for, and it may not be done: the detail says why, for"
            " example that a transaction looks suspicious. Sending the same request again will not help.",
        ),
        "not-found": Kind(
            HTTPStatus.NOT_FOUND,
            "A thing that the request names does not exist: the detail says which, and source says which"
            " call looked for it. The address of the request itself is right; see route-not-found for one"
            " that is not.",
        ),
        "route-not-found": Kind(
            HTTPStatus.NOT_FOUND,
            "There is nothing at this address. Look for typing errors and for a slash too many at the"
            " end; all addresses stand in /openapi.json, and /docs shows them.",
        ),
        "method-not-allowed": Kind(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "There is something at this address, but it does not know this method. The header Allow names"
            " those that it knows.",
        ),
        "conflict": Kind(
            HTTPStatus.CONFLICT,
            "The request is right, but the state of a thing does not allow it now: a product is out of"
            " stock, an account is frozen. The same request may succeed once that state has changed.",
        ),
        "gone": Kind(
            HTTPStatus.GONE,
            "The thing that the request names did exist and does not exist any more, and it will not come"
            " back.",
        ),
        "precondition-failed": Kind(
            HTTPStatus.PRECONDITION_FAILED,
            "The thing has changed since the caller saw it. Read it again, decide again, and send the"
            " request with what was read.",
        ),
        "request-timeout": Kind(
            HTTPStatus.REQUEST_TIMEOUT,
            "The body of the request did not arrive within the time that a request has in all. Nothing was"
            " done; the connection is closed.",
        ),
        "too-large": Kind(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "The body of a request may have 64 KiB and this one has more. It was not read to its end, and"
            " nothing was done.",
        ),
        "unsupported-media-type": Kind(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "The body must be declared as JSON, with Content-Type: application/json or a type that ends"
            " in +json, in UTF-8, and must not be compressed. Nothing was done.",
        ),
        "invalid": Kind(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "The request can be read, but what it says breaks a rule: a field is missing, unknown, of the"
            " wrong type or out of its limits, or a service refused what it was sent. violations lists the"
            " fields, each named by its dotted path in the body, or as in the address where that is at fault,"
            " with what is wrong; an empty name stands for the request as a whole.",
        ),
        "rate-limited": Kind(
            HTTPStatus.TOO_MANY_REQUESTS,
            "There were too many requests: from this address to the gateway or, where there is a source, from"
            " the gateway to that service. RateLimit-Policy says how many requests an address may make in how"
            " many seconds, and RateLimit how many are left; they come back evenly, and a request that is"
            " refused for want of them takes none. Wait for as many seconds as the header Retry-After says,"
            " where there is one, before sending this one again.",
        ),
        "idempotency-mismatch": Kind(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "This caller has used the Idempotency-Key at this address before, within 24 hours, and for"
            " another request: a key stands for one request. Nothing was done. Send the same body to get the"
            " same answer, or another key for another request.",
        ),
        "unexpected": Kind(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "There is a bug in the gateway. What happened stands in its log under the fault id that the"
            " detail gives; pass that id, or the request_id, to whoever runs the gateway. If there is an"
            " execution_id, something had been written: /executions/{execution_id} tells whether it stands.",
        ),
        "stuck": Kind(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "The request failed after something had been written, and that could not be taken back in"
            " time. /executions/{execution_id} shows what is left, and whoever runs the"
            " gateway can have the undo tried again. Do not send the request again under another"
            " Idempotency-Key.",
        ),
        "bad-answer": Kind(
            HTTPStatus.BAD_GATEWAY,
            "A service behind the gateway answered with something that the gateway cannot use: an error"
            " that was not agreed on, or a body that is not what was agreed on. The caller has done"
            " nothing wrong.",
        ),
        "unavailable": Kind(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "A service behind the gateway, or the gateway itself, cannot be reached or has too much to do, or"
            " the service has failed so often of late that it is left alone; or too little of the deadline is"
            " left to begin to write, so that nothing was written. Wait for as many seconds as the header"
            " Retry-After says, where there is one, before trying again.",
        ),
        "timed-out": Kind(
            HTTPStatus.GATEWAY_TIMEOUT,
            "A service behind the gateway did not answer in time. Either it is slow, or the caller left"
            " too little time with X-Request-Timeout-Ms.",
        ),
        "aggregate": Kind(
            HTTPStatus.MULTI_STATUS,
            "Several calls failed. errors lists what went wrong with each, in the order in which the"
            " pipeline names the calls, whatever came back first; completed is false: nothing in this"
            " answer is a success. The status is 207 when every one of them is the caller's to mend (4xx),"
            " otherwise the highest of the 5xx among them.",
        ),
    }
)
"""Every kind of problem that can be sent, by its code."""
