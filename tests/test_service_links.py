"""Service links of Kubernetes and Docker among the variables."""

import pytest

from gateway.service_links import is_service_link
from gateway.services import SERVICES
from gateway.settings import InvalidSettingsError, load_settings, unknown_variables

LINKS = {
    # A Service named `gateway`, with a named port: the variables that the kubelet sets.
    "GATEWAY_SERVICE_HOST": "10.0.0.1",
    "GATEWAY_SERVICE_PORT": "8000",
    "GATEWAY_SERVICE_PORT_HTTP": "8000",
    "GATEWAY_PORT": "tcp://10.0.0.1:8000",
    "GATEWAY_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "GATEWAY_PORT_8000_TCP_PROTO": "tcp",
    "GATEWAY_PORT_8000_TCP_PORT": "8000",
    "GATEWAY_PORT_8000_TCP_ADDR": "10.0.0.1",
    # Services named `gateway-user` and `gateway-metrics`, with UDP and SCTP.
    "GATEWAY_USER_SERVICE_HOST": "10.0.0.2",
    "GATEWAY_USER_PORT": "udp://10.0.0.2:53",
    "GATEWAY_USER_PORT_53_UDP_ADDR": "10.0.0.2",
    "GATEWAY_METRICS_PORT": "sctp://[fd00::3]:9000",
    "GATEWAY_METRICS_PORT_9000_SCTP": "sctp://[fd00::3]:9000",
    "GATEWAY_METRICS_SERVICE_PORT_METRICS_TLS": "9000",
    # A range of ports, the container's name and its environment, which Docker's links have.
    "GATEWAY_NAME": "/checkout/gateway",
    "GATEWAY_ENV_GATEWAY_TOKEN": "s3cret",
    "GATEWAY_ENV_PATH": "/usr/bin",
    "GATEWAY_PORT_8000_TCP_PORT_START": "8000",
    "GATEWAY_PORT_8000_TCP_PORT_END": "8010",
}


@pytest.mark.parametrize(("name", "value"), LINKS.items())
def test_variables_of_the_kubelet_are_service_links(name: str, value: str) -> None:
    assert is_service_link(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_PORT", "8000"),
        ("GATEWAY_PORT", "tcp://10.0.0.1"),
        ("GATEWAY_PORT", "http://10.0.0.1:8000"),
        ("GATEWAY_HOST", "tcp://10.0.0.1:8000"),
        ("GATEWAY_USER_URL", "http://user:8101"),
        ("GATEWAY_PORT_8000", "8000"),
        ("GATEWAY_SERVICE_URL", "http://service:8000"),
        ("GATEWAY_SERVICES", "user"),
        ("GATEWAY_NAME", "gateway"),
        ("GATEWAY_NAME", "/gateway"),
        ("GATEWAY_ENV", "production"),
    ],
)
def test_other_variables_are_no_service_links(name: str, value: str) -> None:
    assert not is_service_link(name, value)


def test_settings_ignore_service_links(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LINKS.items():
        monkeypatch.setenv(name, value)

    assert load_settings(SERVICES).port == 8000
    assert load_settings(SERVICES, port=8060).port == 8060
    assert [*unknown_variables(LINKS, [service.name for service in SERVICES])] == []


def test_wrong_port_is_still_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "tcp://10.0.0.1")

    with pytest.raises(InvalidSettingsError, match=r"GATEWAY_PORT 'tcp://': expected"):
        load_settings(SERVICES)
