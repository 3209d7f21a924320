"""The command `gateway demo`, as a real process, and with mock services that deviate from the contract."""

import asyncio
import io
import re
import signal
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from gateway.cli.demo.command import play_demo
from gateway.cli.demo.scenarios import SCENARIOS
from gateway.cli.dev_stack import MocksFailedError
from tests.system.programs import Program, ProgramResult, is_answering, until
from tests.system.stack import SERVICES, mocks

PATIENCE_SECONDS = 180.0
PIPELINES = {"checkout", "orders", "feed", "transfers", "purchases"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The current folder of the demo."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def played(folder: Path) -> ProgramResult:
    """Result of a demo with invalid settings in its environment, which the demo ignores."""
    ignored = {"GATEWAY_DEADLINE_MS": "1", "GATEWAY_USER_URL": "ftp://users", "MOCK_LATENCY_SCALE": "0"}
    file = {"GATEWAY_JOURNAL_URL": "sqlite:///gateway-journal.sqlite", "COLUMNS": "80"}
    with Program("gateway", "demo", environment={**ignored, **file}, folder=folder) as program:
        return program.wait(PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def services() -> Iterator[Mapping[str, str]]:
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as services:
        yield services


def row_of(result: ProgramResult, name: str) -> list[str]:
    """Return the last three cells of a scenario's row: calls, ms in parallel, and ms in sequence."""
    (row,) = re.findall(rf"^pass {name} .*", result.out, re.MULTILINE)
    return str(row).split()[-3:]


def read_user_url(output: str) -> str:
    """Read the URL of the demo's user service from the first line of its output."""
    return output.partition(": ")[2].split()[0]


def test_demo_passes_every_scenario(played: ProgramResult) -> None:
    counts = re.findall(r"^(\w+)[^:\n]*: (\d+) of \2 passed$", played.out, re.MULTILINE)

    assert (played.code, played.err) == (0, "")
    assert played.out.endswith(f"\nall {len(SCENARIOS)} scenarios passed\n")
    assert {name for name, _ in counts} == PIPELINES
    assert sum(int(count) for _, count in counts) == len(SCENARIOS)


def test_demo_leaves_default_journal_alone(played: ProgramResult, folder: Path) -> None:
    assert played.code == 0
    assert [*folder.iterdir()] == []


def test_demo_output_is_plain_80_columns(played: ProgramResult) -> None:
    """Without a terminal, the output has no colours and fits 80 columns."""
    assert max(map(len, played.out.splitlines())) <= 80
    assert "\x1b" not in played.out


def test_demo_ignores_latency_scale_of_environment(played: ProgramResult) -> None:
    """The demo's mock services have the latencies of the contract, whatever `MOCK_LATENCY_SCALE` is."""
    calls, took, sequential = re.findall(
        r"^pass success +200 +(\S+) +(\d+) +(\d+)$", played.out, re.MULTILINE
    )[0]

    assert calls == "7/0/0"
    assert int(took) >= 50 + 40 + 20
    assert int(sequential) >= 50 + 50 + 50 + 30 + 40 + 20 + 20


def test_demo_names_undos_and_counts_cancellations(played: ProgramResult) -> None:
    undone = re.findall(r"^.* undone by +(\S+)", played.out, re.MULTILINE)

    assert Counter(undone) == {
        "inventory.release": 3,
        "payments.reverse_transfer": 3,
        "accounts.reverse_posting": 1,
        "orders.cancel": 2,
    }
    assert row_of(played, "unknown user, slow stock")[0] == "2/1/4"


def test_demo_stops_its_mock_services(played: ProgramResult) -> None:
    assert not is_answering(f"{read_user_url(played.out)}/health")


def test_demo_does_not_call_running_mocks(played: ProgramResult, services: Mapping[str, str]) -> None:
    calls = [httpx.get(f"{services[name]}/_mock/calls").json() for name in SERVICES]

    assert read_user_url(played.out) not in services.values()
    assert calls == [[]] * len(SERVICES)


def test_demo_passes_with_httpx_transport() -> None:
    with Program("gateway", "demo", environment={"GATEWAY_TRANSPORT": "httpx"}) as program:
        result = program.wait(PATIENCE_SECONDS)

    assert (result.code, result.err) == (0, "")
    assert " and others (httpx)\n" in result.out
    assert result.out.endswith(f"\nall {len(SCENARIOS)} scenarios passed\n")


def test_demo_refuses_unknown_transport() -> None:
    with Program("gateway", "demo", environment={"GATEWAY_TRANSPORT": "htpx"}) as program:
        result = program.wait()

    assert result.code == 2
    assert "invalid GATEWAY_TRANSPORT 'htpx': expected http1 or httpx" in result.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_demo_mocks_end_with_demo_on_any_signal(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    # coverage handles SIGTERM itself, and may wait for a lock that the interrupted code holds.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    with Program("gateway", "demo") as program:
        health = f"{read_user_url(program.read_line())}/health"
        assert is_answering(health)
        result = program.end(number)

    assert (result.code, result.err) == (-number, "")
    until(lambda: not is_answering(health))


def test_demo_explains_failures_and_exits_1(
    services: Mapping[str, str],
) -> None:
    @asynccontextmanager
    async def swapped_services() -> AsyncGenerator[Mapping[str, str]]:
        yield {**services, "pricing": services["shipping"]}

    out = io.StringIO()
    code = asyncio.run(play_demo(Console(file=out, width=200), swapped_services))

    text = out.getvalue()
    assert code == 1
    assert "\nsuccess failed:\n  status: expected 200; got 502\n" in text
    assert "\ncheckout: 22 of 26 passed\n" in text
    assert text.endswith(f"\n4 of {len(SCENARIOS)} scenarios failed\n")


def test_demo_without_mocks_exits_1() -> None:
    def failing() -> AbstractAsyncContextManager[Mapping[str, str]]:
        raise MocksFailedError

    out = io.StringIO()
    code = asyncio.run(play_demo(Console(file=out), failing))

    assert (code, out.getvalue()) == (1, "the mock services did not start\n")


def test_demo_help_explains_services_and_exit_code() -> None:
    with Program("gateway", "demo", "--help") as program:
        result = program.wait()

    assert result.code == 0
    assert "mock services that already run keep their state" in result.out
    assert "MOCK_LATENCY_SCALE are ignored, except GATEWAY_TRANSPORT." in result.out
    assert "Exit code: 0" in result.out
