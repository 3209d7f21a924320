"""Headers of proxies that are trusted, or not."""

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from gateway.api.path_prefix import assign_prefix, get_prefix
from gateway.server.trusted_proxy import TrustedProxyHeaders


async def show_scope(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope)
    assign_prefix(scope, "")
    shown = {
        "prefix": get_prefix(scope),
        "scheme": scope["scheme"],
        "client": request.client and request.client.host,
    }
    await JSONResponse(shown)(scope, receive, send)


async def ask(*prefixes: str, client: str = "127.0.0.1", root_path: str = "") -> dict[str, str]:
    transport = httpx.ASGITransport(
        TrustedProxyHeaders(show_scope), root_path=root_path, client=(client, 5000)
    )
    headers = [("X-Forwarded-Prefix", prefix) for prefix in prefixes]
    others = [("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "https")]
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        shown: dict[str, str] = (await http.get("/", headers=headers + others)).json()
    return shown


async def test_trusted_proxy_names_client_scheme_and_prefix() -> None:
    assert await ask("/api") == {"prefix": "/api", "scheme": "https", "client": "192.0.2.7"}


async def test_other_clients_are_not_trusted() -> None:
    assert await ask("/api", client="192.0.2.1") == {"prefix": "", "scheme": "http", "client": "192.0.2.1"}


async def test_trusted_proxies_come_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "192.0.2.1")

    assert (await ask("/api", client="192.0.2.1"))["prefix"] == "/api"
    assert (await ask("/api"))["prefix"] == ""


@pytest.mark.parametrize(
    ("sent", "prefix"),
    [
        (["/api/"], "/api"),
        (["/api/v2"], "/api/v2"),
        (["/outer, /inner"], "/outer/inner"),
        (["/outer", "/inner/"], "/outer/inner"),
        (["/.well-known"], "/.well-known"),
        (["/v1.2~a_b-c"], "/v1.2~a_b-c"),
        (["/"], ""),
        ([""], ""),
        ([], ""),
    ],
)
async def test_prefixes_are_joined_without_slash_at_end(sent: list[str], prefix: str) -> None:
    assert (await ask(*sent))["prefix"] == prefix


@pytest.mark.parametrize(
    "sent",
    [
        "api", "//evil.example", "/a//b", "/a?b", "/a b", "/%2e", "https://evil", "/" + "a" * 256, "/..",
        "/.", "/a/../b", "/api/..", "/./evil", "/api, /..", "/a,b", "/a;b", "/a\\b", "/a, //evil",
    ],
)  # fmt: skip
async def test_prefix_that_is_no_path_is_ignored(sent: str) -> None:
    assert (await ask(sent, root_path="/kept"))["prefix"] == "/kept"


async def test_lifespan_is_passed_on() -> None:
    passed: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        passed.append(scope["type"])

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    async def send(_message: object) -> None:
        raise AssertionError

    await TrustedProxyHeaders(app)({"type": "lifespan"}, receive, send)
    assert passed == ["lifespan"]
