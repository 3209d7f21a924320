"""What the documentation says, held against the running gateway by schemathesis."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.system.stack import running

CONFIGURATION: Final = Path(__file__).parent / "schemathesis.toml"


def test_every_operation_answers_as_it_is_documented_to(tmp_path: Path) -> None:
    with running(0) as stack:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION)),
            *("run", f"{stack.client.base_url}/openapi.json", "--no-color"),
        ]
        ran = subprocess.run(  # noqa: S603 - our own program, no shell
            command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path
        )

    assert ran.returncode == 0, ran.stdout
    assert re.search(r"Operations: +(\d+) selected / \1 total.*Tested: \1\n", ran.stdout, re.DOTALL)
