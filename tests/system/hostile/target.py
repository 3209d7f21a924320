"""The gateway as a real process, between raw clients and raw services."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.shipped_services import NAMES as SERVICES
from tests.system.hostile.raw_client import Address, RawResponse, build_request, exchange
from tests.system.hostile.raw_upstream import RawUpstream, listen
from tests.system.programs import Program
from tests.system.stack import mocks

__all__ = ("Target", "run_target")

_BASE_PATH = "SECRET-PATH"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Target:
    """A gateway whose user and social services are *upstream*; the other services are mocks."""

    address: Address
    upstream: RawUpstream
    services: Mapping[str, str]
    log: Path
    pid: int

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, json: object = None
    ) -> RawResponse:
        """Send a request on a new connection."""
        return exchange(self.address, build_request(method, path, headers, json))

    def get_feed(self, user: str = "user-123", **headers: str) -> RawResponse:
        """Request the feed of *user*, for which the upstream is called."""
        return self.request("GET", f"/feed/{user}", headers)

    @property
    def cpu_seconds(self) -> float:
        """Return the CPU time of the gateway's process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def run_target(log: Path) -> Generator[Target]:
    """Run the mock services, the raw services and the gateway, which logs to the file *log*."""
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as services, listen() as upstream:
        raw = f"http://127.0.0.1:{upstream.port}/{_BASE_PATH}"
        urls = {**services, "user": raw, "social": raw}
        settings = {f"GATEWAY_{name.upper()}_URL": urls[name] for name in SERVICES}
        with Program("gateway", "serve", environment={"GATEWAY_PORT": "0", **settings}, log=log) as program:
            host, _, port = program.read_line().split()[1].removeprefix("http://").rpartition(":")
            yield Target((host, int(port)), upstream, services, log, program.process.pid)
            program.end()
