"""The command `gateway explain`, as a real process."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.system.programs import Ended, Program, free_port
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
def nobody() -> Mapping[str, str]:
    """Give URLs at which no service is."""
    return {f"GATEWAY_{name.upper()}_URL": f"http://127.0.0.1:{free_port()}" for name in SERVICES}


def explained(*arguments: str, **environment: str) -> Ended:
    with Program("gateway", "explain", *arguments, environment={"COLUMNS": "80", **environment}) as program:
        return program.wait()


def at(services: Mapping[str, str]) -> Mapping[str, str]:
    return {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}


def writes(services: Mapping[str, str]) -> int:
    """Count the transfers and postings that were made."""
    state = [httpx.get(f"{services[name]}/_mock/state").json() for name in ("payment", "account")]
    return len(state[0]["transfers"]) + len(state[1]["postings"])


def test_with_mocks_that_run_a_checkout_is_measured(services: Mapping[str, str]) -> None:
    ended = explained("checkout", "--runs", "2", **at(services))

    assert (ended.code, ended.err) == (0, "")
    assert "times: median of 2 runs on the mock services\n" in ended.out
    took = re.search(r"critical path: ([0-9.]+) ms", ended.out)
    assert took
    assert float(took[1]) >= 110


def test_it_is_plain_text_that_fits_where_there_is_no_terminal(nobody: Mapping[str, str]) -> None:
    ended = explained("purchases", "--latency-default", "40", **nobody)

    assert "\x1b" not in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


def test_without_services_there_are_no_times(nobody: Mapping[str, str]) -> None:
    ended = explained("checkout", **nobody)

    assert (ended.code, ended.err) == (0, "")
    assert "times: unknown; measure them with --measure" in ended.out


def test_latencies_may_be_given(nobody: Mapping[str, str]) -> None:
    given = ("--latency", "users.fetch=70", "--latency", "pricing.tax=15", "--latency-default", "10.5")
    ended = explained("checkout", *given, **nobody)

    assert "critical path: 95.5 ms; one after the other: 137.5 ms\n" in ended.out


def test_the_time_that_optional_calls_have_is_the_one_that_is_set(nobody: Mapping[str, str]) -> None:
    given = ("--latency", "social.engagement=900", "--latency-default", "10")
    ended = explained("feed", *given, GATEWAY_OPTIONAL_TIMEOUT_MS="200", **nobody)

    assert "critical path: 220 ms; " in ended.out


def test_nothing_is_written_unless_that_is_said(services: Mapping[str, str]) -> None:
    before = writes(services)
    cautious = explained("transfers", "--measure", "--runs", "1", **at(services))
    unchanged = writes(services)
    bold = explained("transfers", "--with-writes", "--runs", "1", **at(services))

    assert (cautious.code, bold.code) == (0, 0)
    assert "critical path: at least " in cautious.out
    assert "critical path: at least " not in bold.out
    assert (unchanged - before, writes(services) - unchanged) == (0, 4)


def test_what_cannot_be_measured_is_one_clear_line(nobody: Mapping[str, str]) -> None:
    ended = explained("feed", "--measure", **nobody)

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("gateway: cannot measure feed: ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
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
def test_wrong_arguments_are_a_usage_error(arguments: list[str], said: str) -> None:
    ended = explained(*arguments)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_its_runs_are_five_unless_that_is_said(services: Mapping[str, str]) -> None:
    ended = explained("checkout", "--measure", **at(services))

    assert "times: median of 5 runs on the services\n" in ended.out


def test_a_variable_that_is_no_setting_is_told(nobody: Mapping[str, str]) -> None:
    ended = explained("feed", GATEWAY_DEADLNE_MS="1", GATEWAY_UNLIKE="1", **nobody)

    assert ended.code == 0
    assert ended.err.splitlines() == [
        "gateway: unknown setting GATEWAY_DEADLNE_MS; did you mean GATEWAY_DEADLINE_MS?",
        "gateway: unknown setting GATEWAY_UNLIKE",
    ]


def test_what_an_app_of_ones_own_raises_is_told_with_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise ValueError('of mine')\n")
    ended = explained("checkout", "--app", "mine:app", PYTHONPATH=str(tmp_path))

    assert ended.code == 1
    assert ended.err.startswith("Traceback ")
    assert ended.err.endswith("\nValueError: of mine\n")


def test_a_value_of_its_own_that_is_wrong_is_not_taken_for_a_setting(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from gateway.settings import Settings\n\nSettings(port=-1)\n")
    ended = explained("checkout", "--app", "mine:app", PYTHONPATH=str(tmp_path))

    assert ended.code == 1
    assert ended.err.startswith("Traceback ")


def test_settings_that_make_no_sense_are_named() -> None:
    ended = explained("feed", GATEWAY_DEADLINE_MS="soon")

    assert ended.code == 2
    assert ended.err.startswith("gateway: invalid GATEWAY_DEADLINE_MS 'soon': ")


def test_without_a_name_it_lists_the_pipelines() -> None:
    ended = explained()

    assert ended.code == 0
    assert [line.split()[0] for line in ended.out.splitlines()[2:]] == [
        "checkout", "orders", "feed", "transfers", "purchases",
    ]  # fmt: skip


def test_an_app_of_ones_own_is_explained_without_asking_its_services(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(APP)
    ended = explained("checkout", "--app", "mine:app", PYTHONPATH=str(tmp_path))

    assert (ended.code, ended.err) == (0, "")
    assert "times: unknown" in ended.out
