"""Client address of a request, and the name under which the rate limit counts the caller."""

import pytest

from gateway.api.admission.client_address import find_client_address, identify_caller


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1", "fe80::1"),
        ("fe80::2%eth0", "fe80::2%eth0"),
        ("::1", "::/64"),
        ("", "unknown"),
        ("/run/gateway.sock", "unknown"),
        ("192.0.2.1, 192.0.2.2", "unknown"),
    ],
)
def test_caller_is_ipv4_address_or_ipv6_subnet(host: str, name: str) -> None:
    assert identify_caller({"client": (host, 50_000)}) == name


@pytest.mark.parametrize("scope", [{}, {"client": None}])
def test_caller_without_address_is_named_unknown(scope: dict[str, None]) -> None:
    assert find_client_address(scope) is None
    assert identify_caller(scope) == "unknown"
