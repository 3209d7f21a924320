"""Requests from the gateway's own host that neither a proxy nor a page of another site has made."""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final, cast

from starlette.types import Scope

from gateway.api.admission.client_address import find_client_address

__all__ = ("is_local_request",)

_HOST: Final = re.compile(r"(?:\[(?P<v6>[^\[\]]*)\]|(?P<name>[^\[\]:]*))(?::[0-9]*)?")
_OWN_PAGES: Final = frozenset({"same-origin", "none"})
_FORWARDING: Final = re.compile(
    r"""
      (.+-)?via(-.*)? | cdn-loop | surrogate-capability | max-forwards
    | (.+-)?forward.*
    | (.+-)?(ip|clientip|socketip)  # X-Real-IP, True-Client-IP, CF-Connecting-IP, ...
    | (.+-)?(client|remote)-(addr|ip|port|host|user|cert).*
    | (.+-)?proxy(-.*)?
    | x-(original|real|rewrite|url-scheme|scheme|https?|ssl|tls|host|lb|upstream|gateway|cdn|cache|edge)(-.*)?
    | x-(coming-from|request-start) | front-end-https | ssl-.*
    | (x-)?(akamai|amzn?|appengine|arr|azure|bluecoat|caddy|cf|cloud|cloudfront|consumer|envoy|fastly|fly
      |github|haproxy|kong|l5d|ms-client|ngrok|tailscale|traefik|varnish|vercel)(-.*)?
    """,
    re.VERBOSE,
)
"""Headers that proxies, load balancers and content delivery networks add."""


def is_local_request(scope: Scope) -> bool:
    """Return whether the request with this ASGI *scope* comes directly from a program on this host.

    A loopback address is not enough: every page in a browser on this host can send requests to it. So the
    request must not name a host that DNS could map to this one (DNS rebinding: `Host` must be an IP address
    or `localhost`), must not come from a page of another origin (`Origin`, `Sec-Fetch-Site`), and must have
    no header that proxies add, such as `Via`. A proxy on this host that adds no header is not recognised.

    See https://www.w3.org/TR/fetch-metadata/ and https://fetch.spec.whatwg.org/#origin-header.
    """
    client = find_client_address(scope)
    if client is None or not client.is_loopback:
        return False
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in cast("list[tuple[bytes, bytes]]", scope["headers"])
    ]
    if any(_FORWARDING.fullmatch(name) for name, _ in headers):
        return False
    hosts = _list_values(headers, "host")
    origins, sites = _list_values(headers, "origin"), _list_values(headers, "sec-fetch-site")
    return (
        len(hosts) == 1
        and _is_address(hosts[0])
        and {*origins} <= {f"http://{hosts[0]}", f"https://{hosts[0]}"}
        and _OWN_PAGES.issuperset(sites)
    )


def _list_values(headers: Sequence[tuple[str, str]], name: str) -> Sequence[str]:
    return [value.lower() for other, value in headers if other == name]


def _is_address(host: str) -> bool:
    """Return whether *host*, the value of `Host`, is an IP address or `localhost`, perhaps with a port."""
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name: str | None = found["name"]
    if name is None:
        return _can_parse(IPv6Address, found["v6"])
    return name == "localhost" or _can_parse(IPv4Address, name)


def _can_parse(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
