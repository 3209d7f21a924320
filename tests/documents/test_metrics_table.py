"""Names of metrics in the documentation and in the rules for Prometheus: exactly those that exist."""

import re
from pathlib import Path
from typing import Final

import pytest

from gateway.cli.dev_stack import SAMPLE_ORDER
from tests.integration.in_process import InProcessServices, run_gateway

ROOT: Final = Path(__file__).parents[2]
NAME: Final = re.compile(r"(?<![:\w])gateway_[a-z_]+")
SUFFIX: Final = re.compile(r"_(bucket|count|sum)$")


@pytest.fixture
async def exposed() -> set[str]:
    """The names of all metrics of a gateway that has had a request that writes."""
    async with run_gateway(InProcessServices()) as client:
        (await client.post("/orders", json=SAMPLE_ORDER)).raise_for_status()
        text = (await client.get("/metrics")).text
    return set(re.findall(r"^# TYPE (gateway_\w+)", text, re.MULTILINE))


def find_names(text: str) -> set[str]:
    return {SUFFIX.sub("", name) for name in NAME.findall(text)}


async def test_table_lists_every_metric(exposed: set[str]) -> None:
    page = (ROOT / "docs/operations.md").read_text()
    section = page.partition("## Metrics\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `gateway_")]

    assert {name for row in rows for name in find_names(row.split("|")[1])} == exposed
    assert find_names(section) <= exposed


async def test_rules_use_metrics_that_exist(exposed: set[str]) -> None:
    used = find_names((ROOT / "deploy/observability/rules.yml").read_text())

    assert used
    assert used <= exposed
