"""The journal of `gateway serve` at the start, and of the commands that have none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.executions.database.sqlite_files import execute
from tests.system.programs import Program, ProgramResult

DEFAULT: Final = "sqlite:///gateway-journal.sqlite"


READS: Final = """\
from gateway import create_app
from gateway.pipelines import PIPELINES

app = create_app(pipelines=[route for route in PIPELINES if route.path in {"/checkout", "/feed/{user_id}"}])
"""


def serve(folder: Path, *arguments: str) -> Program:
    """Run `gateway serve` in *folder* with the default journal."""
    environment = {"GATEWAY_PORT": "0", "GATEWAY_JOURNAL_URL": DEFAULT}
    return Program("gateway", "serve", *arguments, environment=environment, folder=folder)


def serve_until_ready(folder: Path, *arguments: str) -> ProgramResult:
    with serve(folder, *arguments) as program:
        program.read_line()
        return program.end()


def assert_refused(result: ProgramResult, reason: str) -> None:
    """Assert that the gateway has ended with one line, which contains *reason*."""
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("gateway: cannot use the journal (GATEWAY_JOURNAL_URL): ")
    assert reason in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")])
def test_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path, arguments: Sequence[str]) -> None:
    (tmp_path / "gateway-journal.sqlite").write_text("my shopping list\n" * 1000)

    with serve(tmp_path, *arguments) as program:
        result = program.wait()

    assert_refused(result, "gateway-journal.sqlite is damaged: ")


def test_newer_schema_is_refused_in_one_line(tmp_path: Path) -> None:
    serve_until_ready(tmp_path)
    execute(tmp_path / "gateway-journal.sqlite", "update gateway_schema_version set version = 99")

    with serve(tmp_path) as program:
        result = program.wait()

    assert_refused(result, "upgrade the gateway, or use another database")


def test_missing_folder_of_journal_is_refused(tmp_path: Path) -> None:
    environment = {"GATEWAY_PORT": "0", "GATEWAY_JOURNAL_URL": f"sqlite:///{tmp_path}/missing/journal.sqlite"}
    with Program("gateway", "serve", environment=environment) as program:
        result = program.wait()

    assert_refused(result, f"the folder {tmp_path}/missing of the database file does not exist; create it")


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")])
def test_gateway_without_writes_needs_no_journal(tmp_path: Path, arguments: Sequence[str]) -> None:
    (tmp_path / "reads.py").write_text(READS)

    result = serve_until_ready(tmp_path, "--app", "reads:app", *arguments)

    assert (result.code, result.err) == (0, "")
    assert not (tmp_path / "gateway-journal.sqlite").exists()


@pytest.mark.parametrize("arguments", [("explain",), ("explain", "transfers", "--latency-default", "5")])
def test_explain_leaves_default_journal_alone(tmp_path: Path, arguments: Sequence[str]) -> None:
    with Program(
        "gateway", *arguments, environment={"GATEWAY_JOURNAL_URL": DEFAULT}, folder=tmp_path
    ) as program:
        result = program.wait()

    assert result.code == 0
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "url",
    ["mysql://ada:s3cret@host/journal", "postgresql://ada:s3/cret@host/journal", "s3cret", "sqlite:///"],
)
def test_invalid_journal_url_is_refused_without_password(url: str) -> None:
    with Program("gateway", "serve", environment={"GATEWAY_JOURNAL_URL": url}) as program:
        result = program.wait()

    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert result.err.startswith("gateway: invalid GATEWAY_JOURNAL_URL")
    assert "expected " in result.err
    assert not any(part in result.err for part in ("s3", "cret", "ada"))
