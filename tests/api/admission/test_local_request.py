"""Requests from the gateway's own host."""

import pytest

from gateway.api.admission.local_request import is_local_request

HOST = ("host", "127.0.0.1:8000")


def is_local(*headers: tuple[str, str], peer: str = "127.0.0.1") -> bool:
    """Return whether a request with *headers* from the address *peer* is local."""
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return is_local_request({"type": "http", "client": (peer, 50_000), "headers": encoded})


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1:8000", "10.0.0.1:80", "[::1]", "[::1]:8000", "[2001:DB8::1]",
        "[::ffff:127.0.0.1]", "localhost", "localhost:8000", "LOCALHOST:8000", "127.0.0.1:",
    ],
)  # fmt: skip
def test_address_and_localhost_are_local_hosts(host: str) -> None:
    assert is_local(("host", host))


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "evil.example:8000", "localhost.evil.example", "evil.localhost", "localhost.",
        "127.0.0.1.evil.example", "127.0.0.1.", "127.1", "2130706433", "0x7f.0.0.1", "127.0.0.1.nip.io",
        "::1", "[::1", "[::1]x", "[127.0.0.1]", "[localhost]", "user@127.0.0.1", "127.0.0.1/",
        "127.0.0.1:80:80", "localhost,evil.example", "127.0.0.1\n", "l\xf6calhost", "gateway",
    ],
)  # fmt: skip
def test_name_that_dns_can_map_is_not_local(host: str) -> None:
    assert not is_local(("host", host))


def test_request_without_one_host_is_not_local() -> None:
    assert not is_local()
    assert not is_local(HOST, HOST)


@pytest.mark.parametrize(
    "name",
    [
        "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
        "x-forwarded-prefix", "x-forwarded", "forwarded-for", "x-forwarded-client-cert", "x-real-ip",
        "x-real-port", "x-client-ip", "client-ip", "true-client-ip", "x-cluster-client-ip",
        "cf-connecting-ip", "cf-ray", "fastly-client-ip", "x-original-forwarded-for", "x-original-url",
        "x-envoy-external-address", "x-envoy-attempt-count", "x-azure-clientip", "x-azure-socketip",
        "x-appengine-user-ip", "wl-proxy-client-ip", "proxy-connection", "x-proxyuser-ip",
        "x-remote-addr", "remote-addr", "x-remote-ip", "x-amzn-trace-id", "x-amz-cf-id", "x-varnish",
        "cdn-loop", "x-scheme", "x-cloud-trace-context", "l5d-client-id", "akamai-origin-hop", "x-via",
        "via-proxy", "x-bluecoat-via", "x-nginx-proxy", "x-trusted-proxy", "x-http-forwarded-for",
        "http-x-forwarded-for", "x-http-host-override", "fly-forwarded-port", "x-vercel-forwarded-for",
        "x-vercel-id", "x-client-port", "client-port", "client-cert", "client-cert-chain",
        "ssl-client-verify", "x-ssl-client-verify", "x-remote-user", "x-host", "x-rewrite-url",
        "x-url-scheme", "x-https", "front-end-https", "x-gateway-host", "x-upstream", "x-lb", "x-cdn",
        "x-cache", "x-edge-location", "x-haproxy-server-state", "x-traefik-router", "x-kong-request-id",
        "x-consumer-username", "x-akamai-edgescape", "x-github-request-id", "x-ms-client-principal",
        "x-coming-from", "x-request-start", "tailscale-user-login", "ngrok-agent-ips", "max-forwards",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", ["127.0.0.1", ""])
def test_forwarding_header_is_not_local(name: str, value: str) -> None:
    assert not is_local(HOST, (name, value))


@pytest.mark.parametrize(
    "name",
    [
        "accept", "user-agent", "authorization", "x-request-id", "traceparent", "content-type", "x-skip",
        "cache-control", "upgrade-insecure-requests", "sec-ch-ua", "x-api-key", "x-request-timeout-ms",
        "priority", "idempotency-key", "x-csrf-token", "grpc-timeout", "baggage", "pragma", "x-clip",
    ],
)  # fmt: skip
def test_other_headers_are_local(name: str) -> None:
    assert is_local(HOST, (name, "a"))


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("localhost", "http://localhost"),
        ("localhost:8443", "https://localhost:8443"),
        ("LocalHost:8000", "http://localhost:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_own_page_is_local(host: str, origin: str) -> None:
    assert is_local(("host", host), ("origin", origin), ("sec-fetch-site", "same-origin"))


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example", "null", "", "http://127.0.0.1", "http://127.0.0.1:9000", "http://localhost:8000",
        "http://127.0.0.1:8000.evil.example", "http://127.0.0.1:8000/", "file://", "chrome-extension://abc",
        "http://127.0.0.1:8000, http://evil.example",
    ],
)  # fmt: skip
def test_page_of_other_origin_is_not_local(origin: str) -> None:
    assert not is_local(HOST, ("origin", origin))


def test_every_repeated_origin_is_checked() -> None:
    assert not is_local(HOST, ("origin", "http://127.0.0.1:8000"), ("origin", "http://evil.example"))


@pytest.mark.parametrize(
    ("site", "expected"),
    [("none", True), ("same-origin", True), ("same-site", False), ("cross-site", False), ("", False)],
)
def test_site_of_page_is_checked(site: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_local(HOST, ("sec-fetch-site", site)) is expected


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", "0.0.0.0", ""])  # noqa: S104 - compared with
def test_remote_address_is_not_local(peer: str) -> None:
    assert not is_local(HOST, peer=peer)
