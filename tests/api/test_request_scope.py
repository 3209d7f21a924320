"""Identity of a request."""

import pytest

from gateway.api.request_scope import assign_request_id, get_request_id


@pytest.mark.parametrize("name", ["a", "4711", "A-b_c", "x" * 128])
def test_an_id_that_the_caller_gave_is_kept(name: str) -> None:
    scope = {"headers": [(b"x-request-id", name.encode())]}

    assert assign_request_id(scope) == name
    assert get_request_id(scope) == name


@pytest.mark.parametrize(
    "name", [b"", b"-a", b"_a", b"a b", b"x" * 129, b"a\n", b"a/b", "ä".encode(), b"a, b"]
)
def test_an_id_of_any_other_form_is_made_anew(name: bytes) -> None:
    first, second = (assign_request_id({"headers": [(b"x-request-id", name)]}) for _ in range(2))

    assert first != second
    assert assign_request_id({"headers": [(b"x-request-id", first.encode())]}) == first
