"""Interpretation of responses: values, refusals, faults and the reasons in the log."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from typing_extensions import override

from gateway.http1 import ReceivedResponse
from gateway.railway import (
    BadAnswer,
    Conflict,
    Err,
    Fault,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Ok,
    PreconditionFailed,
    RateLimited,
    TimedOut,
    Unauthorized,
    Unavailable,
    Unexpected,
)
from tests.client.scripted_service import (
    LAMP,
    LAMP_JSON,
    LATE,
    PROBLEM,
    UNAVAILABLE,
    UNUSABLE,
    Answering,
    Content,
    fetch,
)

MEBIBYTE = 1_048_576
SOURCE = "things.fetch"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *[(status, BadAnswer(UNUSABLE, source=SOURCE)) for status in (100, 199, 300, 302, 304)],
        *[(status, BadAnswer(UNUSABLE, source=SOURCE)) for status in (400, 401, 403, 404, 409, 422, 499)],
        *[(status, BadAnswer(UNUSABLE, source=SOURCE)) for status in (500, 501, 505, 521, 599, 600, 999)],
        *[
            (status, BadAnswer(UNUSABLE, source=SOURCE, is_transient=True, retry_after=None))
            for status in (502, 520, 522, 524)
        ],
        *[(status, TimedOut(LATE, source=SOURCE)) for status in (408, 504)],
        *[(status, Unavailable(UNAVAILABLE, source=SOURCE)) for status in (429, 503)],
    ],
)
async def test_undeclared_status_is_upstream_fault(status: int, error: Fault) -> None:
    body = Content([AssertionError("the body must not be read")])
    result = await fetch(Answering(httpx.Response(status, headers=PROBLEM, stream=body)))

    assert result == Err(error)
    assert body.is_closed


@pytest.mark.parametrize("status", [200, 201, 203, 206, 299])
async def test_response_with_any_2xx_succeeds(status: int) -> None:
    assert await fetch(Answering(httpx.Response(status, content=LAMP_JSON))) == Ok(LAMP)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, Gone),
        (412, PreconditionFailed),
        (418, Conflict),
        (408, Gone),
    ],
)
async def test_declared_status_becomes_its_failure(status: int, kind: type[Fault]) -> None:
    response = httpx.Response(status, json={"detail": "No lamp"}, headers=PROBLEM)

    assert await fetch(Answering(response), {status: kind}) == Err(kind("No lamp", source=SOURCE))


async def test_declared_422_has_violation_without_field() -> None:
    response = httpx.Response(422, json={"detail": "Too big"}, headers=PROBLEM)
    error = Invalid("Too big", source=SOURCE, violations=(("", ("Too big",)),))

    assert await fetch(Answering(response), {422: Invalid}) == Err(error)


@pytest.mark.parametrize("status", [429, 503])
async def test_declared_failure_replaces_upstream_fault(status: int) -> None:
    response = httpx.Response(status, headers={**PROBLEM, "retry-after": "7"})
    error = RateLimited("things.fetch was refused: rate limited", source=SOURCE, retry_after=7.0)

    assert await fetch(Answering(response), {status: RateLimited}) == Err(error)


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        pytest.param({"content-type": "application/json"}, b'{"detail": "No"}', id="plain JSON"),
        pytest.param(PROBLEM, b"", id="empty"),
        pytest.param(PROBLEM, b"No", id="not JSON"),
        pytest.param(PROBLEM, b"<no>", id="XML"),
        pytest.param(PROBLEM, b'{"title": "No"}', id="without detail"),
        pytest.param(PROBLEM, b'{"detail": 3}', id="detail is a number"),
        pytest.param(PROBLEM, b'{"detail": ["No"]}', id="detail is a list"),
        pytest.param(PROBLEM, b'{"detail": " \\n\\u200b"}', id="blank detail"),
        pytest.param(PROBLEM, b'{"detail": "\\ud800"}', id="a lone surrogate"),
        pytest.param(
            {**PROBLEM, "content-encoding": "x-secret"}, b'{"detail": "No"}', id="with Content-Encoding"
        ),
        pytest.param({**PROBLEM, "content-length": "1048577"}, b'{"detail": "No"}', id="too long"),
    ],
)
async def test_unusable_detail_becomes_generic_detail(headers: Mapping[str, str], content: bytes) -> None:
    response = httpx.Response(404, headers=headers, stream=Content([content]))

    assert await fetch(Answering(response), {404: NotFound}) == Err(
        NotFound("things.fetch was refused: not found", source=SOURCE)
    )


async def test_problem_media_type_is_parsed_leniently() -> None:
    headers = {"content-type": "Application/Problem+JSON; charset=UTF-8"}
    response = httpx.Response(404, json={"detail": "No lamp"}, headers=headers)

    assert await fetch(Answering(response), {404: NotFound}) == Err(NotFound("No lamp", source=SOURCE))


async def test_detail_is_sanitized_and_truncated() -> None:
    detail = "No\r\n\tlamp\x00\u2028in \u202ehere, " + "sorry " * 99
    response = httpx.Response(404, json={"detail": detail}, headers=PROBLEM)
    result = await fetch(Answering(response), {404: NotFound})

    assert isinstance(result, Err)
    assert result.error.detail.startswith("No lamp in here, sorry sorry ")
    assert result.error.detail.endswith("…")
    assert len(result.error.detail) <= 200


@pytest.mark.parametrize("kind", [BadAnswer, Unavailable, TimedOut, Unexpected])
async def test_upstream_fault_hides_service_detail(kind: type[Fault]) -> None:
    response = httpx.Response(404, json={"detail": "SECRET"}, headers=PROBLEM)
    result = await fetch(Answering(response), {404: kind})

    assert isinstance(result, Err)
    assert "SECRET" not in result.error.detail


async def test_declared_5xx_hides_service_detail() -> None:
    response = httpx.Response(500, json={"detail": "SECRET"}, headers=PROBLEM)

    assert await fetch(Answering(response), {500: Gone}) == Err(
        Gone("things.fetch was refused: gone", source=SOURCE)
    )


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120.0), ("0", 0.0), ("soon", None), ("-3", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
async def test_unavailable_carries_retry_after(header: str, seconds: float | None) -> None:
    response = httpx.Response(503, headers={"retry-after": header})
    error = Unavailable(UNAVAILABLE, source=SOURCE, retry_after=seconds)

    assert await fetch(Answering(response)) == Err(error)


async def test_retry_after_date_becomes_seconds() -> None:
    header = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    result = await fetch(Answering(httpx.Response(429, headers={"retry-after": header})))

    assert isinstance(result, Err)
    assert isinstance(result.error, Unavailable)
    assert result.error.retry_after == pytest.approx(60, abs=5)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="HTML"),
        pytest.param(b"{", id="half an object"),
        pytest.param(LAMP_JSON + b"{}", id="two objects"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="a field is missing"),
        pytest.param(b'{"name": null}', id="a field is null"),
        pytest.param(b'{"name": 3}', id="a number for a string"),
        pytest.param(b'{"name": "lamp", "size": "3"}', id="a string for a number"),
        pytest.param(b'{"name": "lamp", "size": 3.0}', id="a fraction for an integer"),
        pytest.param(b'{"name": "lamp", "size": true}', id="a boolean for an integer"),
        pytest.param(b'{"name": "lamp", "size": NaN}', id="NaN for an integer"),
        pytest.param(b'{"name": "lamp", "size": Infinity}', id="infinity for an integer"),
        pytest.param(b'{"name": "lamp", "size": ' + b"9" * 99_999 + b"}", id="endless digits"),
        pytest.param(b'{"name": "\\ud800"}', id="a lone surrogate"),
        pytest.param(b'{"name": "\xff"}', id="not UTF-8"),
        pytest.param('{"name": "lamp"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'\xef\xbb\xbf\xef\xbb\xbf{"name": "lamp"}', id="two byte order marks"),
        pytest.param(b'{"name": "lamp", "size": "\\udc00"}', id="a lone surrogate for a number"),
        pytest.param(b'{"name": "lamp", "x": ' + b"[" * 99_999 + b"]" * 99_999 + b"}", id="deeply nested"),
    ],
)
async def test_malformed_body_is_bad_answer(content: bytes) -> None:
    result = await fetch(Answering(httpx.Response(200, content=content)))

    assert result == Err(BadAnswer(UNUSABLE, source=SOURCE))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'{"name": "lamp", "size": 3, "colour": {"r": [1, null]}}', id="unknown fields"),
        pytest.param(b'{"name": "lamp", "size": 3, "weight": NaN}', id="NaN in an unknown field"),
        pytest.param(b'{"name": "lamp", "size": 3, "weight": 1e999}', id="infinity in an unknown field"),
        pytest.param(b'\xef\xbb\xbf{"name": "lamp", "size": 3}', id="a byte order mark"),
        pytest.param(b'\xef\xbb\xbf\r\n{"name": "lamp", "size": 3}', id="a byte order mark and a line"),
        pytest.param(b'{"name": "lamp", "size": 3, "x": "a\\ud800b"}', id="a surrogate in an unknown field"),
        pytest.param(b'{"\\uDFFF": [1], "name": "lamp", "size": 3}', id="a surrogate in an unknown name"),
        pytest.param(
            b'{"x": "\\ud800\\ud83d\\ude00", "name": "lamp", "size": 3}', id="a surrogate and a pair"
        ),
        pytest.param(b'{"name": "chair", "name": "lamp", "size": 3}', id="duplicate field"),
        pytest.param(b'\r\n\t {"name": "l\\u0061mp", "size": 3} \n', id="whitespace and escapes"),
    ],
)
async def test_valid_json_variants_are_accepted(content: bytes) -> None:
    assert await fetch(Answering(httpx.Response(200, content=content))) == Ok(LAMP)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-encoding": "identity"},
        {"content-encoding": ""},
        {"content-encoding": " , identity,"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": 'application/json; CHARSET="iso-8859-1"'},
        {"content-type": "application/json; charset=windows-1252"},
        {"content-type": "application/json; charset=nonsense"},
        {"content-type": "application/json; charset="},
        {"content-type": "application/json; charset=UTF-8"},
        {"content-type": "application/json;charset='utf-8'"},
        {"content-type": 'application/json; charset="us-ascii"; q=1'},
        {"content-type": "text/plain"},
        {"content-type": "nonsense"},
        {"content-length": "nonsense"},
    ],
)
async def test_body_with_harmless_headers_is_read(headers: Mapping[str, str]) -> None:
    response = httpx.Response(200, headers=headers, stream=Content([LAMP_JSON]))

    assert await fetch(Answering(response)) == Ok(LAMP)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-encoding": "gzip, compress"},
        {"content-encoding": "gzip, gzip, gzip, gzip, gzip"},
        {"content-encoding": "br, identity"},
        {"content-encoding": "unheard-of"},
        {"content-length": str(MEBIBYTE + 1)},
        {"content-length": "9" * 9_999},
    ],
)
async def test_body_with_unsupported_headers_is_not_read(headers: Mapping[str, str]) -> None:
    body = Content([AssertionError("the body must not be read")])
    result = await fetch(Answering(httpx.Response(200, headers=headers, stream=body)))

    assert result == Err(BadAnswer(UNUSABLE, source=SOURCE))
    assert body.is_closed


@pytest.mark.parametrize(
    ("charset", "content"),
    [
        ("iso-8859-1", b'{"name": "l\xe4mp"}'),
        ("utf-16", '{"name": "lamp"}'.encode("utf-16-le")),
        ("windows-1252", '{"name": "l\u00e4mp"}'.encode()),
    ],
)
async def test_charset_of_other_text_is_not_ignored(charset: str, content: bytes) -> None:
    headers = {"content-type": f"application/json; charset={charset}"}

    assert await fetch(Answering(httpx.Response(200, headers=headers, content=content))) == Err(
        BadAnswer(UNUSABLE, source=SOURCE)
    )


async def test_body_of_one_mebibyte_is_read() -> None:
    body = Content([b" " * (MEBIBYTE - len(LAMP_JSON)), LAMP_JSON])
    response = httpx.Response(200, headers={"content-length": str(MEBIBYTE)}, stream=body)

    assert await fetch(Answering(response)) == Ok(LAMP)


async def test_reading_stops_after_one_mebibyte() -> None:
    body = Content([LAMP_JSON, b" " * MEBIBYTE, AssertionError("the body must not be read")])
    result = await fetch(Answering(httpx.Response(200, stream=body)))

    assert result == Err(BadAnswer(UNUSABLE, source=SOURCE))
    assert body.is_closed


@pytest.mark.parametrize(
    ("response", "line", "attempts"),
    [
        (httpx.Response(500, text="SECRET"), "things.fetch: bad-answer: status 500", 1),
        (httpx.Response(503, text="SECRET"), "things.fetch: unavailable: status 503", 3),
        (httpx.Response(504, text="SECRET"), "things.fetch: timed-out: status 504", 3),
        (
            httpx.Response(200, json={"name": "SECRET", "size": "SECRET"}),
            "things.fetch: bad-answer: size: Input should be a valid integer",
            1,
        ),
        (
            httpx.Response(200, headers={"content-encoding": "a"}, stream=Content([])),
            "things.fetch: bad-answer: unsupported Content-Encoding",
            1,
        ),
    ],
)
async def test_failure_reason_is_logged_per_attempt(
    response: httpx.Response, line: str, attempts: int, caplog: pytest.LogCaptureFixture
) -> None:
    await fetch(Answering(response))

    assert caplog.record_tuples == [("gateway.client", logging.WARNING, line)] * attempts


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, headers={"content-encoding": "SECRET"}, stream=Content([])),
        httpx.Response(200, headers={"content-type": "a/b; charset=SECRET"}, stream=Content([])),
        httpx.Response(200, headers={"content-length": "9" * 99}, stream=Content([])),
        httpx.Response(200, json={"name": "a", "size": 1, "SECRET": {}}),
        httpx.Response(200, content=b"SECRET"),
        httpx.Response(200, stream=Content([httpx.DecodingError("SECRET")])),
        httpx.Response(200, stream=Content([OSError("http://host/SECRET")])),
    ],
)
async def test_received_bytes_are_logged_at_debug_only(
    response: httpx.Response, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await fetch(Answering(response))

    shown = [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]
    assert all(line.startswith("things.fetch: ") for line in shown)
    assert not any("SECRET" in line or "999" in line for line in shown)


async def test_debug_log_has_message_of_exception(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "gateway.client")
    await fetch(Answering(httpx.Response(200, stream=Content([httpx.DecodingError("bad \x1b chunk")]))))

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "things.fetch: bad-answer: DecodingError"),
        ("DEBUG", "things.fetch: bad-answer: bad chunk"),
    ]


async def test_refusal_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    await fetch(Answering(httpx.Response(404, headers=PROBLEM)), {404: NotFound})

    assert caplog.record_tuples == []


class InsufficientPoints(Conflict, code="insufficient-points"):
    """The account has fewer points than the reward costs."""

    balance: int
    tier: str = "none"
    history: tuple[str, ...] = ()
    limits: dict[str, str] | None = None


class Throttled(RateLimited, code="throttled"):
    """The caller has used up the quota of its plan."""

    plan: str | None = None


async def refuse(body: object, kind: type[Fault] = InsufficientPoints, status: int = 409) -> Fault:
    """Return the failure of a call for which the service sends *body* as a problem."""
    headers = {**PROBLEM, "retry-after": "7"}
    result = await fetch(Answering(httpx.Response(status, json=body, headers=headers)), {status: kind})
    assert isinstance(result, Err)
    return result.error


async def test_own_error_has_members_of_the_problem() -> None:
    body = {"detail": "Only 12 left", "balance": 12, "history": ["a"], "limits": {"a": "b"}, "other": 3}

    assert await refuse(body) == InsufficientPoints(
        "Only 12 left", source=SOURCE, balance=12, history=("a",), limits={"a": "b"}
    )


async def test_absent_member_has_its_default() -> None:
    error = await refuse({"detail": 3, "balance": 12})

    assert error == InsufficientPoints(
        "things.fetch was refused: insufficient points", source=SOURCE, balance=12
    )


@pytest.mark.parametrize(
    "body", [{}, [], {"balance": None}, {"balance": "12"}, {"balance": 12, "tier": 3}, {"source": 3}]
)
async def test_own_error_without_its_member_is_bad_answer(body: object) -> None:
    assert await refuse(body) == BadAnswer(UNUSABLE, source=SOURCE)


async def test_unusable_member_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    await refuse({"detail": "no", "balance": "SECRET"})

    line = "things.fetch: bad-answer: unusable members of a problem: balance: Input should be a valid integer"
    assert caplog.record_tuples == [("gateway.client", logging.WARNING, line)]


async def test_members_come_only_from_problems() -> None:
    response = httpx.Response(429, json={"plan": "free"})

    assert await fetch(Answering(response), {429: Throttled}) == Err(
        Throttled("things.fetch was refused: throttled", source=SOURCE)
    )


async def test_text_of_members_is_sanitized() -> None:
    error = await refuse(
        {"balance": 12, "tier": "a\x00b" * 99, "history": ["\r\n"], "limits": {"a": "\u202e"}}
    )

    assert isinstance(error, InsufficientPoints)
    assert error.tier.startswith("a ba b")
    assert len(error.tier) <= 200
    assert (error.history, error.limits) == (("",), {"a": ""})


async def test_own_error_has_fields_of_its_family() -> None:
    assert await refuse({"detail": "slow down", "plan": "free"}, Throttled, 429) == Throttled(
        "slow down", source=SOURCE, plan="free", retry_after=7.0
    )


async def test_invalid_at_puts_the_detail_at_its_field() -> None:
    error = await refuse({"detail": "Expired"}, Invalid.at("payment_id"), 422)

    assert error == Invalid("Expired", source=SOURCE, violations=(("payment_id", ("Expired",)),))


class Received(httpx.AsyncBaseTransport):
    """Answers every request with a response that has been read, like the gateway's own transport."""

    def __init__(self, response: ReceivedResponse) -> None:
        self.response = response

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.response


async def test_response_that_has_been_read_is_interpreted() -> None:
    response = ReceivedResponse(200, [(b"content-length", b"27")], LAMP_JSON)

    assert await fetch(Received(response)) == Ok(LAMP)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, Unavailable(UNAVAILABLE, source=SOURCE)),
        (204, BadAnswer(UNUSABLE, source=SOURCE)),
        (404, Unavailable(UNAVAILABLE, source=SOURCE)),
        (405, BadAnswer(UNUSABLE, source=SOURCE)),
        (503, Unavailable(UNAVAILABLE, source=SOURCE, retry_after=7.0)),
        (504, TimedOut(LATE, source=SOURCE)),
    ],
)
async def test_broken_body_matters_only_if_the_body_does(status: int, error: Fault) -> None:
    headers = [(b"content-type", b"application/problem+json"), (b"Retry-After", b"7")]
    response = ReceivedResponse(status, headers, b"{", error=httpx.ReadError("reset"))

    assert await fetch(Received(response), {404: NotFound}) == Err(error)


async def test_body_over_limit_by_its_length_is_refused() -> None:
    response = ReceivedResponse(200, [(b"content-length", b"%d" % (MEBIBYTE + 1))])

    assert await fetch(Received(response)) == Err(BadAnswer(UNUSABLE, source=SOURCE))
