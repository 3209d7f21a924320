"""What the compose file says, as far as that can be known without an engine."""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from mock_services.catalogue import SERVICES, port_of

COMPOSE: Final[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[1] / "docker-compose.yml").read_text()
)["services"]


def test_the_gateway_and_every_mock_service_are_in_it() -> None:
    assert set(COMPOSE) == {"gateway", "load", *SERVICES}


def test_the_gateway_knows_where_each_service_is() -> None:
    urls = {f"GATEWAY_{name.upper()}_URL": f"http://{name}:{port_of(name)}" for name in SERVICES}

    assert urls.items() <= COMPOSE["gateway"]["environment"].items()


def test_the_gateway_waits_until_every_service_is_healthy() -> None:
    assert COMPOSE["gateway"]["depends_on"] == {name: {"condition": "service_healthy"} for name in SERVICES}


@pytest.mark.parametrize("name", [*SERVICES, "load"])
def test_everything_but_the_gateway_is_published_on_this_machine_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE[name]["ports"])


@pytest.mark.parametrize("name", SERVICES)
def test_each_mock_service_listens_where_it_is_looked_for(name: str) -> None:
    port = port_of(name)

    assert COMPOSE[name]["command"] == f"python3 -m mock_services {name} --host 0.0.0.0"
    assert COMPOSE[name]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"http://127.0.0.1:{port}/health" in COMPOSE[name]["healthcheck"]["test"][-1]


@pytest.mark.parametrize("name", COMPOSE)
def test_no_container_can_write_to_its_image_or_gain_privileges(name: str) -> None:
    assert COMPOSE[name]["read_only"]
    assert COMPOSE[name]["cap_drop"] == ["ALL"]
