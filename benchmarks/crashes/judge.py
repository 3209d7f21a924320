"""Conditions that must hold once everything has come to rest."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.crashes.answer import Answer, Exchange
from benchmarks.crashes.client import PATIENCE, Client
from benchmarks.crashes.workload import Workload
from tests.ledger.service_books import Execution

__all__ = ("compare_repeats", "compare_states", "judge")

_REST: Final = 60.0
_POLL: Final = 0.2
_REPEATS: Final = 2


async def judge(
    client: Client, workload: Workload, exchanges: Sequence[Exchange]
) -> tuple[Mapping[str, int], Sequence[str]]:
    """Wait until nothing is in progress, and return figures and the violations.

    Each request with an answer of a commit is repeated twice. Then an operator retries the stuck executions,
    and the state of the services is compared with the answers and the executions.
    """
    violations = [
        f"{exchange.request.key}: no answer within {PATIENCE:.0f} s, before that {exchange.seen[-1:]}"
        for exchange in exchanges
        if exchange.is_faithful and exchange.answer is None
    ]
    if not await _wait_for_rest(client):
        violations.append(f"executions still run: {await client.list_executions('running')}")
    repeats, differences = await _repeat(client, exchanges)
    stuck = await client.list_executions("stuck")
    violations += differences
    violations += _find_unlisted(exchanges, stuck)
    violations += await _retry(client, stuck)
    executions = await client.list_executions()
    violations += compare_states(exchanges, executions)
    violations += await workload.list_violations(exchanges, executions)
    figures = {
        "executions": len(executions),
        **{f"{state} at the end": count for state, count in Counter(one.state for one in executions).items()},
        "stuck, until an operator retried": len(stuck),
        "repeats of answered keys": repeats,
    }
    return figures, violations


async def _wait_for_rest(client: Client) -> bool:
    end = asyncio.get_running_loop().time() + _REST
    while await client.list_executions("running"):
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(_POLL)
    return True


async def _repeat(client: Client, exchanges: Sequence[Exchange]) -> tuple[int, list[str]]:
    """Repeat each request with an answer of a commit; return how many repeats, and the differences."""
    answered = [
        exchange
        for exchange in exchanges
        if exchange.answer is not None and exchange.answer.execution_id is not None
    ]
    places = asyncio.Semaphore(8)

    async def repeat(exchange: Exchange) -> Sequence[str]:
        async with places:
            return compare_repeats(exchange, [await client.send(exchange.request) for _ in range(_REPEATS)])

    found = await asyncio.gather(*map(repeat, answered))
    return len(answered) * _REPEATS, [difference for differences in found for difference in differences]


def compare_repeats(exchange: Exchange, answers: Sequence[Answer | None]) -> Sequence[str]:
    """Compare the answer of an exchange with the *answers* to repeated requests."""
    expected = exchange.answer
    return [
        f"{exchange.request.key}: answered {expected}, then {answer}"
        for answer in answers
        if expected is None
        or answer is None
        or answer.stable_parts != expected.stable_parts
        or (not answer.is_stuck and answer.headers.get("idempotent-replayed") != "true")
    ]


def _find_unlisted(exchanges: Sequence[Exchange], stuck: Sequence[Execution]) -> list[str]:
    listed = {execution.execution_id for execution in stuck}
    return [
        f"{exchange.request.key}: answered stuck, but {exchange.execution_id} is not listed"
        for exchange in exchanges
        if exchange.answer is not None and exchange.answer.is_stuck and exchange.execution_id not in listed
    ]


async def _retry(client: Client, stuck: Sequence[Execution]) -> list[str]:
    for execution in stuck:
        await client.retry(execution.execution_id)
    return [f"still stuck after a retry: {execution}" for execution in await client.list_executions("stuck")]


def compare_states(exchanges: Sequence[Exchange], executions: Sequence[Execution]) -> list[str]:
    """Compare the state of each execution with the answer to its request."""
    states: dict[str | None, str] = {execution.execution_id: execution.state for execution in executions}
    violations = [
        f"{execution.execution_id} is {execution.state} with {execution.writes}"
        for execution in executions
        if execution.state in {"committed", "undone"}
        and not execution.outcomes <= ({"done"} if execution.state == "committed" else {"undone", "refused"})
    ]
    for exchange in exchanges:
        if exchange.answer is None or (execution_id := exchange.answer.execution_id) is None:
            continue
        expected = "committed" if exchange.is_successful else "undone"
        if states.get(execution_id) != expected:
            state = states.get(execution_id)
            violations.append(
                f"{exchange.request.key}: {execution_id} is {state}, but answered {exchange.answer}"
            )
    pairs = {(exchange.request.key, exchange.execution_id) for exchange in exchanges if exchange.execution_id}
    owners = Counter(execution_id for _, execution_id in pairs)
    violations += [f"{count} keys for {execution_id}" for execution_id, count in owners.items() if count > 1]
    promised = {exchange.execution_id for exchange in exchanges if exchange.is_successful}
    unasked = [name for name, state in states.items() if state == "committed" and name not in promised]
    gone = sum(not exchange.is_faithful and exchange.answer is None for exchange in exchanges)
    if len(unasked) > gone:
        violations.append(f"{len(unasked)} committed without an answer, but only {gone} clients have gone")
    return violations
