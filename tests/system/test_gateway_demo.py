"""The command `gateway demo`, as a real process."""

import re
import signal
import socket
from collections.abc import Iterator, Mapping

import httpx
import pytest

from gateway.demo.scenarios import SCENARIOS
from tests.system.programs import Ended, Program, answers, free_ports, until
from tests.system.stack import SERVICES, Json, mocks


@pytest.fixture
def services() -> Iterator[Mapping[str, str]]:
    arguments = ("all", "--base-port", str(free_ports(12)))
    with mocks(*arguments, MOCK_LATENCY_SCALE="0") as services:
        yield services


def played(port: int | str, **environment: str) -> Ended:
    with Program("gateway", "demo", "--mocks-port", str(port), environment=environment) as program:
        return program.wait()


def port_of(services: Mapping[str, str]) -> str:
    return services["user"].rpartition(":")[2]


def put_fault(url: str, **fault: Json) -> None:
    httpx.put(f"{url}/_mock/faults", json=[fault]).raise_for_status()


def times_of_success(ended: Ended) -> tuple[int, int]:
    """Give the milliseconds that it took, and those of its calls one after the other."""
    (row,) = (line for line in ended.out.splitlines() if line.startswith("right success "))
    took, in_turn = row.split()[-2:]
    return int(took), int(in_turn)


def is_at(port: int) -> bool:
    return answers(f"http://127.0.0.1:{port}/health")


def test_with_mocks_of_its_own_every_scenario_is_right_and_they_are_gone_afterwards() -> None:
    port = free_ports(12)

    ended = played(port, COLUMNS="80")

    assert (ended.code, ended.err) == (0, "")
    assert f"http://127.0.0.1:{port} on, started for the demo\n" in ended.out
    assert re.findall(r"^right (.{22}) \d{3}", ended.out, re.MULTILINE) == [
        scenario.name.ljust(22) for scenario in SCENARIOS
    ]
    assert f"all {len(SCENARIOS)} scenarios came out as the contract says\n" in ended.out
    assert "\x1b" not in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    assert not is_at(port)


def test_its_own_mocks_are_as_slow_as_the_contract_says_whatever_the_environment_says() -> None:
    took, in_turn = times_of_success(played(free_ports(12), MOCK_LATENCY_SCALE="0"))

    assert 50 + 40 + 20 <= took < in_turn
    assert in_turn >= 50 + 50 + 50 + 30 + 40 + 20 + 20


def test_mocks_that_run_are_used_and_keep_their_state_and_faults(services: Mapping[str, str]) -> None:
    reservation = {"product_id": "prod-456", "quantity": 2}
    httpx.post(
        f"{services['inventory']}/reservations", json=reservation, headers={"Idempotency-Key": "mine"}
    ).raise_for_status()
    put_fault(services["user"], path_prefix="/users/user-789", kind="status", status=500)
    before = [httpx.get(f"{services[name]}/_mock/state").json() for name in SERVICES]

    ended = played(port_of(services))

    assert ended.code == 0
    assert "running already" in ended.out
    assert httpx.get(f"{services['user']}/users/user-789").status_code == 500
    assert [httpx.get(f"{services[name]}/_mock/state").json() for name in SERVICES] == before


def test_what_is_not_as_the_contract_says_is_explained_and_the_exit_code_is_1(
    services: Mapping[str, str],
) -> None:
    put_fault(services["pricing"], path_prefix="/tax", kind="garbage")

    ended = played(port_of(services), COLUMNS="200")

    assert ended.code == 1
    assert "WRONG success" in ended.out
    assert "success is wrong:\n  status: expected 200; came 502\n" in ended.out
    assert "  errors: expected none; came 502 bad-answer pricing.tax\n" in ended.out
    assert f"1 of {len(SCENARIOS)} scenarios did not come out as the contract says\n" in ended.out
    assert "these mock services may have faults" in ended.out


def test_settings_in_the_environment_change_nothing(services: Mapping[str, str]) -> None:
    assert played(port_of(services), GATEWAY_DEADLINE_MS="1", GATEWAY_USER_URL="ftp://users").code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_its_mocks_end_with_it_whatever_ends_it(number: signal.Signals) -> None:
    port = free_ports(12)
    with Program("gateway", "demo", "--mocks-port", str(port)) as program:
        until(lambda: is_at(port))
        ended = program.end(number)

    assert (ended.code, ended.err) == (-number, "")
    until(lambda: not is_at(port))


@pytest.mark.parametrize(("place", "service"), [(0, "user"), (11, "analytics")])
def test_a_port_that_its_mocks_need_and_somebody_has_is_named(place: int, service: str) -> None:
    port = free_ports(12)
    with socket.create_server(("127.0.0.1", port + place)):
        ended = played(port)

    assert (ended.code, ended.out) == (1, "")
    assert f"port {port + place} ({service}) is taken" in ended.err
    assert ended.err.endswith("gateway: the mock services did not start; --mocks-port PORT moves them\n")


@pytest.mark.parametrize("port", ["0", "65530", "all"])
def test_a_port_that_mocks_cannot_follow_is_a_usage_error(port: str) -> None:
    ended = played(port)

    assert ended.code == 2
    assert f"no port from which mock services could follow: '{port}'" in ended.err


def test_its_help_says_what_it_does_to_whose_mocks_and_how_it_ends() -> None:
    with Program("gateway", "demo", "--help") as program:
        ended = program.wait()

    assert ended.code == 0
    assert "keep their state, faults and latencies" in ended.out
    assert "MOCK_LATENCY_SCALE change nothing" in ended.out
    assert "Exit code: 0" in ended.out
