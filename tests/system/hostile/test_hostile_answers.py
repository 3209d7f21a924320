"""Hostile answers of services, sent over raw sockets to the real gateway."""

import json
import threading
import time
from collections.abc import Iterator, Mapping

import httpx
import pytest

from gateway.cli.dev_stack import SAMPLE_ORDER as ORDER
from tests.system.hostile.raw_upstream import build_answer, build_json_answer
from tests.system.hostile.target import Target

FETCH = "/users/user-123"
PROFILE = {"user_id": "user-123", "email": "user@example.com", "is_active": True}
MALFORMED = {
    "status line": b"SECRET\r\n\r\n",
    "status": b"HTTP/1.1 SECRET OK\r\ncontent-length: 2\r\n\r\n{}",
    "name of header": b"HTTP/1.1 200 OK\r\nSEC RET: a\r\ncontent-length: 2\r\n\r\n{}",
    "NUL in header": b"HTTP/1.1 200 OK\r\nset-cookie: SECRET=\x00\r\ncontent-length: 2\r\n\r\n{}",
    "long header": b"HTTP/1.1 200 OK\r\nset-cookie: SECRET=%b\r\ncontent-length: 2\r\n\r\n{}"
    % (b"a" * 70_000),
    "long status line": b"HTTP/1.1 200 SECRET%b\r\ncontent-length: 2\r\n\r\n{}" % (b"a" * 70_000),
    "length": b"HTTP/1.1 200 OK\r\ncontent-length: SECRET\r\n\r\n{}",
    "chunk size": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nSECRET\r\n{}\r\n0\r\n\r\n",
    "coding": build_answer(b"{}", content_encoding="SECRET"),
    "charset": build_answer(b"\xff\xfe", content_type="application/json; charset=SECRET"),
    "text": build_answer(b"SECRET"),
    "value": build_json_answer({**PROFILE, "is_active": "SECRET"}),
    "list": build_json_answer(["SECRET"]),
    "unpaired surrogate": build_answer(b'{"user_id": "SECRET\\ud800"}'),
    "interim": b"HTTP/1.1 199 SECRET\r\nSECRET: 1\r\n\r\nSECRET\r\n\r\n",
    "server error": build_answer(b"SECRET", "500 SECRET"),
    "unknown status": build_answer(b"SECRET", "799 SECRET"),
}
"""Responses that the gateway cannot use, by the malformed part."""
NUMBERS = b"[" + b"1," * 520_000 + b"1]"
"""A MiB of JSON."""


@pytest.mark.parametrize("part", MALFORMED)
def test_malformed_answer_is_neither_sent_nor_logged(target: Target, part: str) -> None:
    logged = target.log.stat().st_size
    target.upstream.answers[FETCH] = MALFORMED[part]

    response = target.get_feed(**{"X-Request-Timeout-Ms": "900"})

    lines = target.log.read_text()[logged:]
    assert response.status in {502, 503, 504}
    assert b"SECRET" not in response.body
    assert "SECRET" not in str(response.headers)
    assert "SECRET" not in lines
    assert "users.fetch: " in lines
    assert "Traceback" not in lines


@pytest.mark.parametrize(
    "cookie", ["SECRET=\x01", "SEC RET=1", "SECRET[]=1", "=SECRET", "SECRET=1; expires=never"]
)
def test_cookies_of_services_are_not_logged(target: Target, cookie: str) -> None:
    target.upstream.answers[FETCH] = build_json_answer(PROFILE, set_cookie=cookie)

    response = target.get_feed()

    assert response.status in {200, 502}
    assert "SECRET" not in target.log.read_text()
    assert "SECRET" not in str(response)


def test_key_of_a_dict_is_not_logged(target: Target) -> None:
    post = {"post_id": "post-1", "author_id": "user-2", "language": "en", "text": "a"}
    target.upstream.answers |= {
        "/friends/": build_json_answer([{"user_id": "user-2"}]),
        "/posts": build_json_answer([post]),
        "/engagement": build_json_answer({"SECRET": {"likes": "SECRET", "comments": 1}}),
        "/notifications": build_json_answer([]),
    }
    logged = target.log.stat().st_size

    response = target.get_feed()

    lines = target.log.read_text()[logged:]
    assert json.loads(response.body)["degraded"] == ["engagement"]
    assert "social.engagement: bad-answer: *.likes: " in lines
    assert "SECRET" not in lines


def test_address_of_lost_service_is_not_logged(target: Target) -> None:
    """The base URL of the service has a secret in its path, as some providers want it."""
    target.upstream.answers[FETCH] = [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", b"", b"\r\n\r\n" * 9]

    response = target.get_feed(**{"X-Request-Timeout-Ms": "300"})

    assert response.status >= 500
    assert str(target.upstream.port) not in response.body.decode()
    assert "SECRET" not in target.log.read_text()
    assert "SECRET" not in response.body.decode()


@pytest.mark.parametrize("delay", [0, 0.001, 0.02, 0.1])
def test_surplus_answer_reaches_no_other_caller(target: Target, delay: float) -> None:
    is_sent = threading.Event()

    def answer_twice() -> Iterator[bytes]:
        yield build_json_answer({**PROFILE, "user_id": "user-1"})
        time.sleep(delay)
        yield build_json_answer({**PROFILE, "user_id": "user-1", "email": "surplus@example.com"})
        is_sent.set()

    target.upstream.answers["/users/user-1"] = answer_twice()
    assert check_out(target, "user-1")["user_id"] == "user-1"
    assert is_sent.wait(5)

    for user in ("user-2", "user-3"):
        assert check_out(target, user) == {**PROFILE, "user_id": user}


def check_out(target: Target, user: str) -> Mapping[str, object]:
    """Return the profile of *user* in the response to a checkout, which calls the upstream once."""
    response = target.request("POST", "/checkout", json={**ORDER, "user_id": user})
    profile: Mapping[str, object] = json.loads(response.body)["user"]
    return profile


@pytest.mark.parametrize("user_id", ["user-999", "USER-123", "user-1234"])
def test_answer_about_another_user_is_502(target: Target, user_id: str) -> None:
    target.upstream.answers[FETCH] = build_json_answer({**PROFILE, "user_id": user_id})

    response = target.get_feed()

    assert (response.status, response.problem["code"]) == (502, "bad-answer")


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", ""])
def test_404_of_a_proxy_is_502(target: Target, content_type: str) -> None:
    target.upstream.answers[FETCH] = build_answer(b"<html>", "404 Not Found", content_type=content_type)

    assert target.get_feed().status == 502


@pytest.mark.parametrize(
    "body",
    [
        NUMBERS,
        b"[" + b"{}," * 340_000 + b"{}]",
        b'[1, "' + rb"\n" * 520_000 + b'"]',
        b'[1, "' + rb"\ud800" * 170_000 + b'"]',
    ],
    ids=["numbers", "objects", "escapes", "surrogates"],
)
def test_large_invalid_answer_costs_little(target: Target, body: bytes) -> None:
    """The cost is a few times what decoding a MiB of small numbers takes here."""
    target.upstream.answers["/friends/"] = build_answer(body)
    decoding = measure_decoding(NUMBERS)
    before = target.cpu_seconds

    assert target.get_feed().status == 502
    assert target.cpu_seconds - before < 4 * decoding + 0.02


def measure_decoding(body: bytes) -> float:
    """Return the CPU seconds that it takes to decode the JSON *body*."""
    before = time.process_time()
    json.loads(body)
    return time.process_time() - before


@pytest.mark.parametrize("value", ["Fri, 31 Dec 9999 23:59:59 GMT", "86400"])
def test_retry_after_is_at_most_300(target: Target, value: str) -> None:
    target.upstream.answers["/users/"] = build_answer(b"", "503 Service Unavailable", retry_after=value)

    response = target.get_feed()

    assert (response.status, response.headers.get("retry-after")) == (503, "300")


def test_gateway_survives_all_answers(target: Target) -> None:
    base = f"http://{target.address[0]}:{target.address[1]}"

    assert httpx.get(f"{base}/health/ready").json()["status"] in {"pass", "warn"}
    assert target.get_feed().status == 200
