"""Tests whose program is missing, as pytest reports them without and with `--no-skips`."""

import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SUITE: Final = """\
import pytest

@pytest.mark.needs("no-such-program")
def test_with_a_missing_program() -> None:
    pass

@pytest.mark.needs("sh")
def test_with_an_installed_program() -> None:
    pass
"""


def run_pytest(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run `SUITE` with the options and hooks of these tests."""
    (folder / "test_suite.py").write_text(SUITE)
    configuration = ("--config-file", str(ROOT / "pyproject.toml"), "--rootdir", str(folder))
    return subprocess.run(  # noqa: S603 - our own program, no shell
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.conftest",
            *configuration,
            "-rs",
            *options,
            str(folder),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def test_missing_program_skips_test_and_is_named(tmp_path: Path) -> None:
    run = run_pytest(tmp_path)

    assert run.returncode == 0, run.stdout
    assert "needs no-such-program" in run.stdout
    assert "1 passed, 1 skipped" in run.stdout


def test_no_skips_option_fails_test_of_missing_program(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, "--no-skips")

    assert run.returncode == 1, run.stdout
    assert "needs no-such-program" in run.stdout
    assert "1 passed, 1 error" in run.stdout
