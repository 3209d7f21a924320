"""Request headers that the gateway reads."""

import pytest

from gateway.api.headers import build_propagated_headers, parse_bearer_token, parse_timeout, read_fields
from gateway.api.problems.refusal import Refusal

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_repeated_headers_are_joined() -> None:
    scope = {"headers": [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]}

    assert read_fields(scope) == {b"a": b"1, 3", b"b": b"2"}


@pytest.mark.parametrize(
    ("value", "seconds"), [(b"1", 0.001), (b"2500", 2.5), (b"9" * 5000, float("inf")), (None, float("inf"))]
)
def test_timeout_is_parsed_as_milliseconds(value: bytes | None, seconds: float) -> None:
    assert parse_timeout({} if value is None else {b"x-request-timeout-ms": value}) == seconds


@pytest.mark.parametrize(
    "value",
    [b"", b"0", b"-1", b"+1", b"1.5", b"1e3", b"1 000", b"1, 2", b"0x1", "\u0661".encode(), b"1_0", b"01"],
)
def test_malformed_timeout_is_refused(value: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse_timeout({b"x-request-timeout-ms": value})

    assert refused.value.code == "invalid-header"


@pytest.mark.parametrize(
    ("value", "seconds"), [(b"300", 0.3), (b"1", 0.001), (b"0300", 0.3), (b"9" * 5000, float("inf"))]
)
def test_envoy_timeout_is_in_milliseconds(value: bytes, seconds: float) -> None:
    assert parse_timeout({b"x-envoy-expected-rq-timeout-ms": value}) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"300m", 0.3),
        (b"2S", 2.0),
        (b"1M", 60.0),
        (b"1H", 3600.0),
        (b"1500u", 0.0015),
        (b"99999999n", 0.099999999),
        (b"00000001S", 1.0),
    ],
)
def test_grpc_timeout_has_a_unit(value: bytes, seconds: float) -> None:
    assert parse_timeout({b"grpc-timeout": value}) == pytest.approx(seconds)


@pytest.mark.parametrize("value", [b"", b"0", b"00", b"-1", b"1.5", b"300m", b"1, 2", b"1 ", b"\xb2"])
def test_malformed_envoy_timeout_is_ignored(value: bytes) -> None:
    assert parse_timeout({b"x-envoy-expected-rq-timeout-ms": value}) == float("inf")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"m",
        b"300",
        b"0m",
        b"00000000S",
        b"-1S",
        b"1.5S",
        b"1s",
        b"1 S",
        b"123456789n",
        b"1S, 2S",
        b"1mS",
    ],
)
def test_malformed_grpc_timeout_is_ignored(value: bytes) -> None:
    assert parse_timeout({b"grpc-timeout": value}) == float("inf")


@pytest.mark.parametrize(
    ("client", "envoy", "grpc", "seconds"),
    [
        (b"900", b"300", b"2S", 0.3),
        (b"100", b"300", b"2S", 0.1),
        (b"900", b"x", b"50m", 0.05),
        (b"900", b"0", b"?", 0.9),
    ],
)
def test_shortest_timeout_applies(client: bytes, envoy: bytes, grpc: bytes, seconds: float) -> None:
    fields = {
        b"x-request-timeout-ms": client,
        b"x-envoy-expected-rq-timeout-ms": envoy,
        b"grpc-timeout": grpc,
    }

    assert parse_timeout(fields) == pytest.approx(seconds)


def test_trace_context_is_propagated() -> None:
    fields = {b"traceparent": PARENT, b"tracestate": b"a=1, b=2"}

    assert build_propagated_headers(fields, "request-1") == {
        "X-Request-Id": "request-1",
        "traceparent": PARENT.decode(),
        "tracestate": "a=1, b=2",
    }


@pytest.mark.parametrize("parent", [PARENT, b"01" + PARENT[2:], b"01" + PARENT[2:] + b"-more"])
def test_traceparent_needs_no_tracestate(parent: bytes) -> None:
    assert build_propagated_headers({b"traceparent": parent}, "r") == {
        "X-Request-Id": "r",
        "traceparent": parent.decode(),
    }


@pytest.mark.parametrize(
    "parent",
    [
        b"",
        b"ff" + PARENT[2:],
        PARENT + b"-more",
        PARENT.upper(),
        b"00-" + b"0" * 32 + PARENT[35:],
        PARENT[:36] + b"0" * 16 + b"-01",
        PARENT[:-1],
        b"01" + PARENT[2:] + b"more",
        PARENT + b", " + PARENT,
    ],
)
def test_invalid_traceparent_drops_tracestate(parent: bytes) -> None:
    assert build_propagated_headers({b"traceparent": parent, b"tracestate": b"a=1"}, "r") == {
        "X-Request-Id": "r"
    }


@pytest.mark.parametrize("state", [b"", b"a=\xe4", b"a=1\r\nx: y"])
def test_invalid_tracestate_is_dropped_alone(state: bytes) -> None:
    assert "tracestate" not in build_propagated_headers({b"traceparent": PARENT, b"tracestate": state}, "r")


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (b"Bearer token-user-123", "token-user-123"),
        (b"bearer a", "a"),
        (b"BEARER  a", "a"),
        (b"Bearer aZ09-._~+/==", "aZ09-._~+/=="),
    ],
)
def test_bearer_scheme_is_case_insensitive(value: bytes, token: str) -> None:
    assert parse_bearer_token({b"authorization": value}) == token


@pytest.mark.parametrize(
    "value",
    [
        b"", b"Bearer", b"Bearer ", b"Bearera", b"Basic a", b"a", b"Bearer a b", b"Bearer a, Bearer a",
        b"Bearer a=b", b"Bearer =", b"Bearer a\n", b"Bearer\ta", "Bearer ä".encode(), b"Bearer a,b",
    ],
)  # fmt: skip
def test_malformed_bearer_token_is_none(value: bytes) -> None:
    assert parse_bearer_token({b"authorization": value}) is None


@pytest.mark.parametrize(("length", "is_forwarded"), [(1, True), (512, True), (513, False), (30_000, False)])
def test_tracestate_over_512_characters_is_dropped(length: int, is_forwarded: bool) -> None:  # noqa: FBT001
    fields = {b"traceparent": PARENT, b"tracestate": b"a" * length}
    headers = build_propagated_headers(fields, "r")

    assert ("tracestate" in headers) is is_forwarded
    assert headers["traceparent"] == PARENT.decode()


def test_repeated_tracestate_is_measured_as_a_whole() -> None:
    scope = {"headers": [(b"traceparent", PARENT), *[(b"tracestate", b"a=" + b"b" * 200)] * 3]}

    assert "tracestate" not in build_propagated_headers(read_fields(scope), "r")


def test_long_traceparent_of_later_version_is_dropped() -> None:
    fields = {b"traceparent": b"01" + PARENT[2:] + b"-" + b"a" * 500, b"tracestate": b"a=1"}

    assert build_propagated_headers(fields, "r") == {"X-Request-Id": "r"}


@pytest.mark.parametrize(("length", "is_token"), [(8191, True), (8192, True), (8193, False), (30_000, False)])
def test_token_over_8_kib_is_refused(length: int, is_token: bool) -> None:  # noqa: FBT001
    token = "a" * length
    fields = {b"authorization": f"Bearer {token}".encode()}

    assert parse_bearer_token(fields) == (token if is_token else None)


def test_missing_authorization_is_no_token() -> None:
    assert parse_bearer_token({}) is None
