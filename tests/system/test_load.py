"""A short run of locust against real processes, in an environment of its own."""

import json
import subprocess
from pathlib import Path
from typing import Final

from tests.system.stack import Stack, running

LOAD: Final = Path(__file__).parents[2] / "scripts" / "load"


def loaded(stack: Stack, *options: str) -> "subprocess.CompletedProcess[str]":
    where = ("--host", str(stack.client.base_url))
    command = [str(LOAD), "--headless", "--users", "10", "--spawn-rate", "10", *where, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603


def test_under_load_every_answer_is_the_exact_one() -> None:
    with running(0.1) as stack:
        ran = loaded(stack, "--run-time", "3s", "--json")

    figures = json.loads(ran.stdout)
    assert ran.returncode == 0, ran.stderr
    assert sum(row["num_requests"] for row in figures) > 20
    assert [row["name"] for row in figures if row["num_failures"]] == []


def test_an_answer_that_is_not_the_exact_one_fails_the_run() -> None:
    with running(0.1) as stack:
        stack.break_down("pricing", "garbage")
        ran = loaded(stack, "--run-time", "2s")

    assert ran.returncode == 1
    assert "status 502 instead of 200" in ran.stdout + ran.stderr
