"""Id of a request."""

import pytest

from gateway.api.request_scope import assign_request_id, get_request_id


@pytest.mark.parametrize(
    "value",
    [
        "a",
        "4711",
        "A-b_c",
        "x" * 128,
        "-a",
        "a/b",
        "Root=1-5e-0a;Self=1-5e-0b",
        "!",
        "~" * 128,
        "a,b",
        '"{}"',
    ],
)
def test_valid_request_id_is_kept(value: str) -> None:
    scope = {"headers": [(b"x-request-id", value.encode())]}

    assert assign_request_id(scope) == value
    assert get_request_id(scope) == value


@pytest.mark.parametrize(
    "value",
    [b"", b" ", b"a b", b"x" * 129, b"a\n", b"\na", b"a\tb", b"\x00", b"\x7f", "ä".encode(), b"a, b"],
)
def test_malformed_request_id_is_replaced(value: bytes) -> None:
    first, second = (assign_request_id({"headers": [(b"x-request-id", value)]}) for _ in range(2))

    assert first != second
    assert assign_request_id({"headers": [(b"x-request-id", first.encode())]}) == first
