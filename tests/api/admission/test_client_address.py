"""Who is at the other end of the connection."""

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
def test_a_caller_is_an_address_or_a_subnet_of_ipv6(host: str, name: str) -> None:
    assert identify_caller({"client": (host, 50_000)}) == name


@pytest.mark.parametrize("scope", [{}, {"client": None}])
def test_who_has_no_address_is_unknown(scope: dict[str, None]) -> None:
    assert find_client_address(scope) is None
    assert identify_caller(scope) == "unknown"
