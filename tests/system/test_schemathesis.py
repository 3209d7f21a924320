"""Conformance of the running gateway to its OpenAPI document, checked by schemathesis."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.system.stack import running

CONFIGURATION: Final = Path(__file__).parent / "schemathesis.toml"


def test_every_operation_conforms_to_openapi(tmp_path: Path) -> None:
    with running(0) as stack:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION)),
            *("run", f"{stack.client.base_url}/openapi.json", "--no-color"),
        ]
        run = subprocess.run(  # noqa: S603 - our own program, no shell
            command, capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path
        )

    assert run.returncode == 0, run.stdout
    assert re.search(r"Operations: +(\d+) selected / \1 total.*Tested: \1\n", run.stdout, re.DOTALL)
