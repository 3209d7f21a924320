"""Order and extent of a run."""

from pathlib import Path

import pytest

from benchmarks.performance.bench import FULL, QUICK, list_steps, rotate
from benchmarks.performance.peers import (
    AIOHTTP,
    C_FLOOR,
    GATEWAY,
    NAMES,
    PLAIN,
    ROOT,
    Peer,
    list_peers,
    name_trees,
)
from benchmarks.performance.scenarios import (
    CHECKOUT,
    INVALID,
    LATENCY_200,
    MANY_CLIENTS,
    MEMORY,
    ORDERS,
    SCENARIOS,
    Scenario,
)

PEERS = list(list_peers({GATEWAY: ROOT}))


def find(name: str) -> Peer:
    (peer,) = (peer for peer in PEERS if peer.name == name)
    return peer


def test_peers_have_the_names_of_the_command_line() -> None:
    assert [peer.kind for peer in PEERS] == [*NAMES]


def test_peers_change_their_order_in_each_round() -> None:
    orders = [[peer.name for peer in rotate(PEERS[:3], number)] for number in range(3)]

    first, second, third = (peer.name for peer in PEERS[:3])
    assert orders == [[first, second, third], [first, third, second], [third, first, second]]
    assert rotate([], 1) == []


def test_every_round_measures_all_peers() -> None:
    steps = list(list_steps([CHECKOUT], PEERS, FULL))

    assert len(steps) == FULL.rounds_of(CHECKOUT) * len(PEERS)
    assert {step.peer.name for step in steps if step.round_number == 4} == {*NAMES}


@pytest.mark.parametrize("scenario", [scenario for scenario in SCENARIOS if scenario is not CHECKOUT])
def test_client_in_c_takes_part_in_checkouts_only(scenario: Scenario) -> None:
    assert FULL.includes(CHECKOUT, find(C_FLOOR))
    assert not FULL.includes(scenario, find(C_FLOOR))


def test_only_gateways_take_orders() -> None:
    assert {step.peer.name for step in list_steps([ORDERS], PEERS, FULL)} == {GATEWAY}


def test_memory_of_slow_peers_is_not_measured() -> None:
    assert not FULL.includes(MEMORY, find(PLAIN))
    assert FULL.includes(MEMORY, find(AIOHTTP))


def test_quick_run_leaves_out_what_takes_long() -> None:
    assert QUICK.includes(CHECKOUT, find(PLAIN))
    assert not QUICK.includes(LATENCY_200, find(PLAIN))
    assert [step.peer.name for step in list_steps([MEMORY], PEERS, QUICK)] == [GATEWAY]
    assert [*list_steps([INVALID], PEERS, QUICK)] == []


def test_slow_peers_are_measured_for_longer() -> None:
    assert FULL.seconds_of(CHECKOUT, find(GATEWAY)) == 4
    assert FULL.seconds_of(CHECKOUT, find(PLAIN)) == 12
    assert FULL.seconds_of(MANY_CLIENTS, find(GATEWAY)) == 12


def test_names_of_scenarios_are_unique() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)


def test_several_trees_are_named_by_commit(tmp_path: Path) -> None:
    assert name_trees([ROOT]) == {GATEWAY: ROOT}
    assert name_trees([tmp_path, tmp_path]) == {
        "gateway unknown 1": tmp_path,
        "gateway unknown 2": tmp_path,
    }
