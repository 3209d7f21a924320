"""The command `gateway demo`, as a real process, and on services that are not as they ought to be."""

import asyncio
import io
import re
import signal
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest
from rich.console import Console

from gateway.cli.demo.command import play_demo
from gateway.cli.demo.scenarios import SCENARIOS
from gateway.cli.dev_stack import MocksFailedError
from tests.system.programs import Ended, Program, answers, until
from tests.system.stack import SERVICES, mocks

PATIENCE_SECONDS = 60.0
PIPELINES = {"checkout", "orders", "feed", "transfers", "purchases"}


@pytest.fixture(scope="module")
def played() -> Ended:
    """What it says with settings in the environment that make no sense."""
    nonsense = {"GATEWAY_DEADLINE_MS": "1", "GATEWAY_USER_URL": "ftp://users", "MOCK_LATENCY_SCALE": "0"}
    with Program("gateway", "demo", environment={**nonsense, "COLUMNS": "80"}) as program:
        return program.wait(PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def services() -> Iterator[Mapping[str, str]]:
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as services:
        yield services


def row_of(ended: Ended, name: str) -> list[str]:
    """Return the last cells of a scenario's row: calls, their ms, and their ms one after the other."""
    (row,) = re.findall(rf"^pass {name} .*", ended.out, re.MULTILINE)
    return str(row).split()[-3:]


def user_service(said: str) -> str:
    """Read where its user service is, from its first line."""
    return said.partition(": ")[2].split()[0]


def test_every_scenario_of_every_pipeline_comes_out_as_the_contract_says(played: Ended) -> None:
    counts = re.findall(r"^(\w+)[^:\n]*: (\d+) of \2 passed$", played.out, re.MULTILINE)

    assert (played.code, played.err) == (0, "")
    assert played.out.endswith(f"\nall {len(SCENARIOS)} scenarios passed\n")
    assert {name for name, _ in counts} == PIPELINES
    assert sum(int(count) for _, count in counts) == len(SCENARIOS)


def test_it_fits_80_columns_and_says_nothing_in_colours_to_a_file(played: Ended) -> None:
    assert max(map(len, played.out.splitlines())) <= 80
    assert "\x1b" not in played.out


def test_its_services_are_as_slow_as_the_contract_says_whatever_the_environment_says(played: Ended) -> None:
    calls, took, sequential = re.findall(
        r"^pass success +200 +(\S+) +(\d+) +(\d+)$", played.out, re.MULTILINE
    )[0]

    assert calls == "7/0/0"
    assert int(took) >= 50 + 40 + 20
    assert int(sequential) >= 50 + 50 + 50 + 30 + 40 + 20 + 20


def test_it_names_what_was_undone_and_counts_what_was_cancelled(played: Ended) -> None:
    undone = re.findall(r"^.* undone by +(\S+)", played.out, re.MULTILINE)

    assert Counter(undone) == {
        "inventory.release": 3,
        "payments.reverse_transfer": 3,
        "accounts.reverse_posting": 1,
        "orders.cancel": 2,
    }
    assert row_of(played, "unknown user, slow stock")[0] == "2/1/4"


def test_its_services_are_gone_afterwards(played: Ended) -> None:
    assert not answers(f"{user_service(played.out)}/health")


def test_services_that_run_are_left_alone(played: Ended, services: Mapping[str, str]) -> None:
    asked = [httpx.get(f"{services[name]}/_mock/calls").json() for name in SERVICES]

    assert user_service(played.out) not in services.values()
    assert asked == [[]] * len(SERVICES)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_its_services_end_with_it_whatever_ends_it(number: signal.Signals) -> None:
    with Program("gateway", "demo") as program:
        health = f"{user_service(program.read_line())}/health"
        assert answers(health)
        ended = program.end(number)

    assert (ended.code, ended.err) == (-number, "")
    until(lambda: not answers(health))


def test_what_is_not_as_the_contract_says_is_explained_and_the_exit_code_is_1(
    services: Mapping[str, str],
) -> None:
    @asynccontextmanager
    async def mixed_up() -> AsyncGenerator[Mapping[str, str]]:
        yield {**services, "pricing": services["shipping"]}

    out = io.StringIO()
    code = asyncio.run(play_demo(Console(file=out, width=200), mixed_up))

    said = out.getvalue()
    assert code == 1
    assert "\nsuccess failed:\n  status: expected 200; got 502\n" in said
    assert "\ncheckout: 22 of 26 passed\n" in said
    assert said.endswith(f"\n4 of {len(SCENARIOS)} scenarios failed\n")


def test_without_services_nothing_is_played() -> None:
    def failing() -> AbstractAsyncContextManager[Mapping[str, str]]:
        raise MocksFailedError

    out = io.StringIO()
    code = asyncio.run(play_demo(Console(file=out), failing))

    assert (code, out.getvalue()) == (1, "the mock services did not start\n")


def test_its_help_says_what_it_does_with_whose_services_and_how_it_ends() -> None:
    with Program("gateway", "demo", "--help") as program:
        ended = program.wait()

    assert ended.code == 0
    assert "mock services that already run keep their\nstate and faults" in ended.out
    assert "MOCK_LATENCY_SCALE are ignored." in ended.out
    assert "Exit code: 0" in ended.out
