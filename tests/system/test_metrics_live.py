"""Metrics of several workers, and scraped by a real Prometheus."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.exposition import Metrics
from tests.system.programs import Program, free_port, is_answering, until
from tests.system.stack import ORDER, SERVICES, mocks

REQUESTS = 12


@pytest.fixture(scope="module")
def services() -> Iterator[Mapping[str, str]]:
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as services:
        yield services


@contextmanager
def serve(services: Mapping[str, str], folder: Path, *arguments: str) -> Generator[tuple[Program, str]]:
    """Run a gateway; yield the program and its URL."""
    urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}
    journal = f"sqlite:///{folder}/journal.sqlite"
    environment = {
        "GATEWAY_PORT": "0",
        "GATEWAY_JOURNAL_URL": journal,
        "GATEWAY_DEADLINE_MS": "20000",
        **urls,
    }
    with Program("gateway", "serve", *arguments, environment=environment) as program:
        yield program, program.read_line().split()[1]


def check_out(url: str, times: int = REQUESTS) -> None:
    """Send requests, each on a connection of its own, so that several workers get some."""
    for _ in range(times):
        assert httpx.post(f"{url}/checkout", json=ORDER, timeout=30).status_code == 200


def count_requests(url: str) -> float:
    metrics = Metrics(httpx.get(f"{url}/metrics", timeout=30).text)
    return metrics.sum("gateway_request_duration_seconds_count", pipeline="checkout")


def list_workers(supervisor: int) -> list[int]:
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text()
    return [int(number) for number in children.split()]


def wait_until_written(worker: int) -> None:
    """Wait until *worker* has written all that it has counted so far to its file."""
    counted = time.time()
    (option,) = re.findall(r"--supervised=[^\0]*", Path(f"/proc/{worker}/cmdline").read_text())
    (file,) = Path(option.split(",", 2)[2]).glob(f"{worker}-*.json")
    until(lambda: file.stat().st_mtime > counted)


def test_workers_count_together_and_keep_counts_of_the_dead(
    services: Mapping[str, str], tmp_path: Path
) -> None:
    with serve(services, tmp_path, "--workers", "2") as (program, url):
        check_out(url)
        until(lambda: count_requests(url) == REQUESTS)
        killed = list_workers(program.process.pid)[0]
        wait_until_written(killed)
        os.kill(killed, signal.SIGKILL)
        until(lambda: killed not in (alive := list_workers(program.process.pid)) and len(alive) == 2)

        check_out(url, 1)
        until(lambda: count_requests(url) == REQUESTS + 1)
        result = program.end()

    assert result.code == 0


@pytest.mark.needs("promtool")
def test_promtool_accepts_all_metrics(services: Mapping[str, str], tmp_path: Path) -> None:
    with serve(services, tmp_path) as (_, url):
        check_out(url, 1)
        assert httpx.post(f"{url}/orders", json=ORDER, timeout=30).status_code == 201
        assert httpx.get(f"{url}/feed/user-123", timeout=30).status_code == 200
        text = httpx.get(f"{url}/metrics").content

    check = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)  # noqa: S607 - a program of Debian
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


@pytest.mark.needs("prometheus")
def test_prometheus_scrapes_the_gateway(services: Mapping[str, str], tmp_path: Path) -> None:
    with serve(services, tmp_path) as (_, url), run_prometheus(url, tmp_path) as prometheus:
        check_out(url, 3)
        query = 'sum(gateway_calls_total{outcome="done"})'
        until(lambda: ask(prometheus, query) == 21)
        assert ask(prometheus, "up") == 1
        assert ask(prometheus, "histogram_quantile(1, sum by (le) (gateway_request_duration_seconds_bucket))")


@contextmanager
def run_prometheus(gateway: str, folder: Path) -> Generator[str]:
    """Run Prometheus, which scrapes *gateway* four times a second; yield its URL."""
    target = gateway.removeprefix("http://")
    jobs = [{"job_name": "gateway", "static_configs": [{"targets": [target]}]}]
    configuration = {"global": {"scrape_interval": "250ms"}, "scrape_configs": jobs}
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(configuration))  # JSON is YAML
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={file}",
        f"--storage.tsdb.path={folder}/prometheus",
        f"--web.listen-address={address}",
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our arguments
        try:
            until(lambda: is_answering(f"http://{address}/-/ready"))
            yield f"http://{address}"
        finally:
            process.terminate()


def ask(prometheus: str, query: str) -> float | None:
    """Return the value of *query*, None if it has none yet."""
    answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": query}).raise_for_status().json()
    found = answer["data"]["result"]
    return float(found[0]["value"][1]) if found else None
