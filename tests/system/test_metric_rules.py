"""Recording and alert rules for Prometheus, tested by promtool."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

FOLDER: Final = Path(__file__).parents[2] / "deploy/observability"


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("arguments", [("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")])
def test_promtool_accepts_the_rules(arguments: tuple[str, ...]) -> None:
    command = ["promtool", *arguments]
    result = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)  # noqa: S603 - our arguments

    assert (result.returncode, result.stderr) == (0, ""), result.stdout
