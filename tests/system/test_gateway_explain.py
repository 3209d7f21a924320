"""The command `gateway explain`, as a real process."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.system.programs import Program, ProgramResult, free_port
from tests.system.stack import SERVICES, mocks

APP: Final = """\
from gateway.app import create_app

app = create_app()
"""


@pytest.fixture(scope="module")
def services() -> Iterator[Mapping[str, str]]:
    with mocks("all", "--base-port", "0") as services:
        yield services


@pytest.fixture
def dead_urls() -> Mapping[str, str]:
    """Settings with URLs that refuse connections."""
    return {f"GATEWAY_{name.upper()}_URL": f"http://127.0.0.1:{free_port()}" for name in SERVICES}


def run_explain(*arguments: str, **environment: str) -> ProgramResult:
    with Program("gateway", "explain", *arguments, environment={"COLUMNS": "80", **environment}) as program:
        return program.wait()


def urls_of(services: Mapping[str, str]) -> Mapping[str, str]:
    """Return the settings with the URLs of *services*."""
    return {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}


def count_writes(services: Mapping[str, str]) -> int:
    """Return the number of transfers and postings."""
    state = [httpx.get(f"{services[name]}/_mock/state").json() for name in ("payment", "account")]
    return len(state[0]["transfers"]) + len(state[1]["postings"])


def test_explain_measures_running_mocks(services: Mapping[str, str]) -> None:
    result = run_explain("checkout", "--runs", "2", **urls_of(services))

    assert (result.code, result.err) == (0, "")
    assert "times: median of 2 runs on the mock services\n" in result.out
    took = re.search(r"critical path: ([0-9.]+) ms", result.out)
    assert took
    assert float(took[1]) >= 110


def test_explain_ignores_service_links(dead_urls: Mapping[str, str]) -> None:
    links = {"GATEWAY_PORT": "tcp://10.0.0.1:8000", "GATEWAY_SERVICE_HOST": "10.0.0.1"}
    result = run_explain("checkout", **dead_urls, **links)

    assert (result.code, result.err) == (0, "")


def test_explain_output_is_plain_80_columns(dead_urls: Mapping[str, str]) -> None:
    result = run_explain("purchases", "--latency-default", "40", **dead_urls)

    assert "\x1b" not in result.out
    assert max(map(len, result.out.splitlines())) <= 80


def test_explain_without_services_has_no_times(dead_urls: Mapping[str, str]) -> None:
    result = run_explain("checkout", **dead_urls)

    assert (result.code, result.err) == (0, "")
    assert "times: unknown; measure them with --measure" in result.out


def test_explain_uses_given_latencies(dead_urls: Mapping[str, str]) -> None:
    given = ("--latency", "users.fetch=70", "--latency", "pricing.tax=15", "--latency-default", "10.5")
    result = run_explain("checkout", *given, **dead_urls)

    assert "critical path: 95.5 ms; in sequence: 137.5 ms\n" in result.out


def test_explain_uses_configured_optional_timeout(dead_urls: Mapping[str, str]) -> None:
    given = ("--latency", "social.engagement=900", "--latency-default", "10")
    result = run_explain("feed", *given, GATEWAY_OPTIONAL_TIMEOUT_MS="200", **dead_urls)

    assert "critical path: 220 ms; " in result.out


def test_explain_needs_with_writes_option_to_write(services: Mapping[str, str]) -> None:
    before = count_writes(services)
    without_writes = run_explain("transfers", "--measure", "--runs", "1", **urls_of(services))
    after_reads = count_writes(services)
    with_writes = run_explain("transfers", "--with-writes", "--runs", "1", **urls_of(services))

    assert (without_writes.code, with_writes.code) == (0, 0)
    assert "critical path: at least " in without_writes.out
    assert "critical path: at least " not in with_writes.out
    assert (after_reads - before, count_writes(services) - after_reads) == (0, 4)


def test_explain_reports_failed_measurement(dead_urls: Mapping[str, str]) -> None:
    result = run_explain("feed", "--measure", **dead_urls)

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("gateway: cannot measure feed: users.fetch: unavailable: ")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["transfer"], "gateway: unknown pipeline 'transfer'; did you mean transfers?\n"),
        (
            ["feed", "--latency", "a.b=1"],
            "gateway: unknown call 'a.b' of feed; expected one of users.fetch, ",
        ),
        (["feed", "--latency", "a.b=x"], "argument --latency: invalid number of milliseconds 'x': expected "),
        (["feed", "--latency-default", "-1"], "error: argument --latency-default"),
        (["feed", "--runs", "0"], "argument --runs: invalid number of runs '0': expected a positive integer"),
        (["feed", "--app", "nowhere:app"], "gateway: cannot load app 'nowhere:app': "),
    ],
)
def test_explain_refuses_invalid_arguments(arguments: list[str], message: str) -> None:
    result = run_explain(*arguments)

    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_explain_measures_five_runs_by_default(services: Mapping[str, str]) -> None:
    result = run_explain("checkout", "--measure", **urls_of(services))

    assert "times: median of 5 runs on the services\n" in result.out


def test_explain_reports_unknown_settings(dead_urls: Mapping[str, str]) -> None:
    result = run_explain("feed", GATEWAY_DEADLNE_MS="1", GATEWAY_UNLIKE="1", **dead_urls)

    assert result.code == 0
    assert result.err.splitlines() == [
        "gateway: unknown setting GATEWAY_DEADLNE_MS; did you mean GATEWAY_DEADLINE_MS?",
        "gateway: unknown setting GATEWAY_UNLIKE",
    ]


def test_exception_in_custom_app_is_one_line_and_its_frame(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise ValueError('of mine')\n")
    result = run_explain("checkout", "--app", "mine:app", "--app-dir", str(tmp_path))

    assert result.code == 2
    assert result.err == (
        "gateway: cannot load app 'mine:app': ValueError: of mine\n"
        f"  File \"{tmp_path}/mine.py\", line 1, in <module>\n    raise ValueError('of mine')\n"
    )


def test_invalid_value_in_custom_app_is_one_line(tmp_path: Path) -> None:
    """An invalid value in the app's own code is not reported as an invalid setting."""
    (tmp_path / "mine.py").write_text("from gateway.settings import Settings\n\nSettings(port=-1)\n")
    result = run_explain("checkout", "--app", "mine:app", PYTHONPATH=str(tmp_path))

    assert result.code == 2
    assert result.err.startswith("gateway: cannot load app 'mine:app': ValidationError: 1 validation error")
    assert result.err.count("\n") == 3


def test_explain_names_invalid_settings() -> None:
    result = run_explain("feed", GATEWAY_DEADLINE_MS="soon")

    assert result.code == 2
    assert result.err.startswith("gateway: invalid GATEWAY_DEADLINE_MS 'soon': ")


def test_explain_without_name_lists_pipelines() -> None:
    result = run_explain()

    assert result.code == 0
    assert [line.split()[0] for line in result.out.splitlines()[2:]] == [
        "checkout", "orders", "feed", "transfers", "purchases",
    ]  # fmt: skip


def test_explain_of_custom_app_calls_no_service(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(APP)
    result = run_explain("checkout", "--app", "mine:app", PYTHONPATH=str(tmp_path))

    assert (result.code, result.err) == (0, "")
    assert "times: unknown" in result.out


@pytest.mark.parametrize("arguments", [["explain"], ["demo"]])
def test_closed_output_ends_program_without_traceback(arguments: list[str]) -> None:
    """The output is a pipe that nothing reads, as after `gateway demo | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output:
        program = [str(Path(sys.executable).with_name("gateway")), *arguments]
        result = subprocess.run(program, stdout=output, stderr=subprocess.PIPE, check=False)  # noqa: S603

    assert (result.returncode, result.stderr) == (1, b"")
