import asyncio
import importlib
import pkgutil
from types import ModuleType

import pytest

import mock_services
from mock_services.catalogue import SERVICES, create_service, port_of
from tests.mock_services.in_process_client import create_client

LATENCIES = [
    ("user", "GET", "/users/a", 50),
    ("user", "GET", "/users/a/settings", 30),
    ("inventory", "GET", "/inventory/a", 50),
    ("inventory", "POST", "/reservations", 25),
    ("inventory", "DELETE", "/reservations/a", 25),
    ("payment", "GET", "/payments/a", 50),
    ("payment", "POST", "/transfers", 40),
    ("payment", "DELETE", "/transfers/a", 40),
    ("fraud", "POST", "/assessments", 30),
    ("fraud", "POST", "/screenings", 30),
    ("fraud", "GET", "/risk-profiles/a", 50),
    ("fraud", "POST", "/transfer-checks", 30),
    ("fraud", "POST", "/compliance-checks", 40),
    ("shipping", "POST", "/quotes", 40),
    ("pricing", "POST", "/tax", 20),
    ("pricing", "POST", "/discounts", 20),
    ("social", "GET", "/friends/a", 50),
    ("social", "GET", "/posts", 40),
    ("social", "GET", "/notifications", 30),
    ("social", "GET", "/engagement", 30),
    ("social", "GET", "/recommendations", 40),
    ("account", "GET", "/accounts/a", 50),
    ("account", "GET", "/accounts/a/transactions", 40),
    ("account", "POST", "/postings", 40),
    ("account", "DELETE", "/postings/a", 40),
    ("auth", "GET", "/sessions", 30),
    ("order", "POST", "/orders", 40),
    ("order", "DELETE", "/orders/a", 40),
    ("order", "GET", "/orders/a", 40),
    ("notification", "POST", "/notifications", 20),
    ("analytics", "POST", "/events", 20),
]

MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(mock_services.__path__, "mock_services.")
    if not module.ispkg
]


def test_default_ports_follow_service_order() -> None:
    ports = {port_of(name): name for name in SERVICES}

    assert ports == {
        8101: "user",
        8102: "inventory",
        8103: "payment",
        8104: "fraud",
        8105: "shipping",
        8106: "pricing",
        8107: "social",
        8108: "account",
        8109: "auth",
        8110: "order",
        8111: "notification",
        8112: "analytics",
    }


def test_ports_follow_base_port() -> None:
    assert port_of("payment", 9001) == 9003
    assert port_of("payment", 0) == 0


@pytest.mark.parametrize(("name", "method", "path", "milliseconds"), LATENCIES)
async def test_endpoint_has_specified_latency(name: str, method: str, path: str, milliseconds: int) -> None:
    client = create_client(create_service(name))
    before = asyncio.get_running_loop().time()

    await client.request(method, path)

    assert asyncio.get_running_loop().time() - before == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.__name__))
def test_module_lists_public_names_in_order(module: ModuleType) -> None:
    names: list[str] = module.__all__

    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(module, name) for name in names)
