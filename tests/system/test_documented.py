"""What the documentation says, held against the running gateway by schemathesis."""

import subprocess
import sys
from pathlib import Path

from tests.system.stack import running

CHECKS = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def test_every_answer_is_one_that_is_documented(tmp_path: Path) -> None:
    with running(0) as stack:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{stack.client.base_url}/openapi.json"),
            *("--checks", ",".join(CHECKS)),
            *("--max-examples", "40", "--seed", "1", "--no-color"),
        ]
        ran = subprocess.run(  # noqa: S603 - our own program, no shell
            command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path
        )

    assert ran.returncode == 0, ran.stdout
