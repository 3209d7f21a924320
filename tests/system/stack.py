"""The gateway and the mock services as real processes, on free ports."""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any, TypeAlias

import httpx

from gateway.cli.dev_stack import SAMPLE_ORDER as ORDER
from gateway.cli.dev_stack import parse_urls
from tests.shipped_services import NAMES as SERVICES
from tests.system.programs import Program, until

__all__ = ("ORDER", "SERVICES", "Json", "Stack", "gateway", "mocks", "running")

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | bool | None"


@dataclass(frozen=True)
class Stack:
    """A gateway, and the URLs of its services by name.

    *client* has the gateway's URL as its base URL; it reaches services by absolute URLs.
    """

    client: httpx.Client
    services: Mapping[str, str]

    def checkout(self, **changes: Json) -> httpx.Response:
        return self.client.post("/checkout", json={**ORDER, **changes})

    def break_down(self, service: str, kind: str, **fields: Json) -> None:
        """Replace the faults of *service* by a fault of *kind*, on every path unless *fields* restrict it."""
        fault = {"path_prefix": "/", "kind": kind, **fields}
        self.client.put(f"{self.services[service]}/_mock/faults", json=[fault]).raise_for_status()

    def calls_of(self, service: str) -> Sequence[str]:
        """Return the operations called on *service* since its last reset."""
        return [call["operation"] for call in self.client.get(f"{self.services[service]}/_mock/calls").json()]

    def outcomes_of(self, service: str) -> Sequence[str]:
        """Return the outcomes of the calls to *service* since its last reset."""
        return [call["outcome"] for call in self.client.get(f"{self.services[service]}/_mock/calls").json()]

    def state_of(self, service: str) -> Mapping[str, Any]:
        """Return the state of *service*: the data that writes can change."""
        state: Mapping[str, Any] = self.client.get(f"{self.services[service]}/_mock/state").json()
        return state

    def heal(self, service: str) -> None:
        """Remove the faults of *service*."""
        self.client.put(f"{self.services[service]}/_mock/faults", json=[]).raise_for_status()

    def post_and_disconnect(
        self, path: str, body: Json, headers: Mapping[str, str], when: Callable[[], bool]
    ) -> None:
        """Post *body*, wait until *when* returns True, and disconnect without reading the answer."""
        url = self.client.base_url
        with closing(HTTPConnection(url.host, url.port)) as connection:
            connection.request(
                "POST", path, json.dumps(body), {"Content-Type": "application/json", **headers}
            )
            until(when)

    def reset(self) -> None:
        """Reset the state, faults and call logs of all services."""
        for name in SERVICES:
            self.client.delete(f"{self.services[name]}/_mock").raise_for_status()


@contextmanager
def mocks(*arguments: str, **environment: str) -> Generator[Mapping[str, str]]:
    """Run mock services; yield their URLs by name."""
    with Program("mock_services", *arguments, environment=environment) as program:
        yield parse_urls(program.read_line())
        program.end()


@contextmanager
def gateway(services: Mapping[str, str], **environment: str) -> Generator[Stack]:
    """Run a gateway in front of *services*; yield both."""
    urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}
    settings = {"GATEWAY_PORT": "0", **urls, **environment}
    with Program("gateway", "serve", environment=settings) as program:
        url = program.read_line().split()[1]
        with httpx.Client(base_url=url, timeout=20) as client:
            yield Stack(client, services)
        program.end()


@contextmanager
def running(latency_scale: float, **environment: str) -> Generator[Stack]:
    """Run all mock services and a gateway in front of them; yield both."""
    with (
        mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE=str(latency_scale)) as services,
        gateway(services, **environment) as stack,
    ):
        yield stack
