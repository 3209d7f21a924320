"""Access control of the operator endpoints."""

import pytest
from starlette.requests import Request

from gateway.api.endpoints.operator import require_operator
from gateway.api.problems.refusal import Refusal


def build_request(peer: str | None, *authorization: bytes) -> Request:
    headers = [(b"host", b"127.0.0.1:8000"), *((b"authorization", value) for value in authorization)]
    client = None if peer is None else (peer, 50_000)
    return Request({"type": "http", "client": client, "headers": headers})


async def get_refusal_code(request: Request, token: str | None) -> str | None:
    try:
        await require_operator(token)(request)
    except Refusal as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
async def test_local_client_is_operator_without_token(peer: str) -> None:
    assert await get_refusal_code(build_request(peer), None) is None


@pytest.mark.parametrize(
    "peer",
    [
        "10.0.0.1",
        "172.17.0.1",
        "0.0.0.0",  # noqa: S104 - compared with, not listened on
        "fe80::1",
        "::ffff:10.0.0.1",
        "::",
        "localhost",
        "/run/a.sock",
        "",
        None,
    ],
)
async def test_remote_client_is_forbidden_without_token(peer: str | None) -> None:
    assert await get_refusal_code(build_request(peer), None) == "forbidden"


async def test_proxied_client_is_forbidden_without_token() -> None:
    request = build_request("127.0.0.1")
    request.scope["headers"].append((b"x-forwarded-for", b"127.0.0.1"))

    assert await get_refusal_code(request, None) == "forbidden"


async def test_proxied_client_is_operator_with_token() -> None:
    request = build_request("127.0.0.1", b"Bearer secret")
    request.scope["headers"] += [(b"via", b"1.1 a"), (b"origin", b"http://evil.example")]

    assert await get_refusal_code(request, "secret") is None


async def test_sent_token_is_ignored_if_none_is_set() -> None:
    assert await get_refusal_code(build_request("10.0.0.1", b"Bearer secret"), None) == "forbidden"
    assert await get_refusal_code(build_request("127.0.0.1", b"Bearer secret"), None) is None


@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"BEARER"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.1", None])
async def test_token_works_from_any_address(peer: str | None, scheme: bytes) -> None:
    assert await get_refusal_code(build_request(peer, scheme + b" secret"), "secret") is None


@pytest.mark.parametrize(
    "authorization",
    [
        (), (b"",), (b"Bearer",), (b"Bearer ",), (b"Bearer s",), (b"Bearer secrets",), (b"Bearer Secret",),
        (b"Basic secret",), (b"secret",), (b"Bearer s\xc3\xa9cret",), (b"Bearer secret", b"Bearer secret"),
    ],
)  # fmt: skip
async def test_wrong_token_is_refused_from_localhost_too(
    authorization: tuple[bytes, ...],
) -> None:
    assert await get_refusal_code(build_request("127.0.0.1", *authorization), "secret") == "unauthorized"


async def test_missing_token_is_401_with_challenge() -> None:
    with pytest.raises(Refusal) as refused:
        await require_operator("secret")(build_request("127.0.0.1"))

    assert refused.value.status_code == 401
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}
    assert "secret" not in refused.value.detail
