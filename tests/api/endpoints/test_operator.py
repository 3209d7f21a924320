"""Who may operate the gateway."""

import pytest
from starlette.requests import Request

from gateway.api.endpoints.operator import require_operator
from gateway.api.problems.refusal import Refusal


def from_(peer: str | None, *authorization: bytes) -> Request:
    headers = [(b"authorization", value) for value in authorization]
    client = None if peer is None else (peer, 50_000)
    return Request({"type": "http", "client": client, "headers": headers})


async def code_of(request: Request, token: str | None) -> str | None:
    try:
        await require_operator(token)(request)
    except Refusal as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
async def test_without_a_token_it_is_whoever_is_on_this_machine(peer: str) -> None:
    assert await code_of(from_(peer), None) is None


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
async def test_without_a_token_it_is_nobody_else(peer: str | None) -> None:
    assert await code_of(from_(peer), None) == "forbidden"


@pytest.mark.parametrize("header", [b"x-forwarded-for", b"forwarded"])
async def test_without_a_token_it_is_nobody_for_whom_somebody_else_speaks(header: bytes) -> None:
    request = from_("127.0.0.1")
    request.scope["headers"].append((header, b"127.0.0.1"))

    assert await code_of(request, None) == "forbidden"


async def test_without_a_token_one_that_is_shown_changes_nothing() -> None:
    assert await code_of(from_("10.0.0.1", b"Bearer secret"), None) == "forbidden"
    assert await code_of(from_("127.0.0.1", b"Bearer secret"), None) is None


@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"BEARER"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.1", None])
async def test_who_has_the_token_may_be_anywhere(peer: str | None, scheme: bytes) -> None:
    assert await code_of(from_(peer, scheme + b" secret"), "secret") is None


@pytest.mark.parametrize(
    "shown",
    [
        (), (b"",), (b"Bearer",), (b"Bearer ",), (b"Bearer s",), (b"Bearer secrets",), (b"Bearer Secret",),
        (b"Basic secret",), (b"secret",), (b"Bearer s\xc3\xa9cret",), (b"Bearer secret", b"Bearer secret"),
    ],
)  # fmt: skip
async def test_who_does_not_show_the_token_is_not_let_in_not_even_on_this_machine(
    shown: tuple[bytes, ...],
) -> None:
    assert await code_of(from_("127.0.0.1", *shown), "secret") == "unauthorized"


async def test_who_is_refused_is_told_how_to_ask() -> None:
    with pytest.raises(Refusal) as refused:
        await require_operator("secret")(from_("127.0.0.1"))

    assert refused.value.status_code == 401
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}
    assert "secret" not in refused.value.detail
