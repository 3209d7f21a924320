"""Comparison of the state of the services with the responses of the target."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, cast

from benchmarks.storms.client.outcomes import NO_RESPONSE, Outcome, Outcomes
from benchmarks.storms.client.request import ORDER, PURCHASE
from benchmarks.storms.deployment import Deployment, wait_until

__all__ = ("find_discrepancies",)

_SETTLE_TIMEOUT: Final = 45.0
"""Seconds that commits and undos may take: the sum of the gateway's two budgets, with a margin."""
_CREATED: Final = 201
_ACCEPTED: Final = 202


async def find_discrepancies(deployment: Deployment, outcomes: Outcomes) -> Sequence[str]:
    """Return a sentence for each mismatch between the writes in the services and the responses of the target.

    A write without a successful response is a mismatch, and so is a successful response without a write. A
    request without any response may have written or not, so both are accepted.
    """
    account, payment = (
        await deployment.services.fetch_state("account"),
        await deployment.services.fetch_state("payment"),
    )
    postings = Counter(
        posting["reference"] for posting in account["postings"] if posting["status"] == "posted"
    )
    executed = Counter(
        transfer["reference"] for transfer in payment["transfers"] if transfer["status"] == "executed"
    )
    discrepancies: list[str] = []
    for outcome in outcomes.without_status(NO_RESPONSE):
        name = outcome.request.name
        if outcome.request.path == "/transfers":
            expected = int(await _is_committed(deployment, outcome))
            if (postings[name], executed[name]) != (expected, expected):
                times = f"posted {postings[name]} times, executed {executed[name]} times"
                discrepancies.append(f"{name} ({outcome.status}): {times}")
    inventory, order = (
        await deployment.services.fetch_state("inventory"),
        await deployment.services.fetch_state("order"),
    )
    orders = [entry for entry in order["orders"] if entry["status"] == "created"]
    ledgers = (
        ("reservations", inventory["reservations"], ORDER),
        ("orders", orders, PURCHASE),
    )
    for ledger, entries, request in ledgers:
        relevant = outcomes.of_requests((request.name,))
        expected = sum([await _is_committed(deployment, outcome) for outcome in relevant])
        if not expected <= len(entries) <= expected + len(relevant.with_status(NO_RESPONSE)):
            discrepancies.append(f"{len(entries)} {ledger}, but {expected} successful responses")
    return discrepancies


async def _is_committed(deployment: Deployment, outcome: Outcome) -> bool:
    """Return True if the request's execution is committed; after a 202, wait for the execution to end."""
    if outcome.status != _ACCEPTED:
        return outcome.status == _CREATED

    async def fetch_status() -> str:
        return cast("Mapping[str, str]", await deployment.client.read(outcome.location or ""))["state"]

    async def has_ended() -> bool:
        return await fetch_status() != "running"

    return await wait_until(has_ended, _SETTLE_TIMEOUT) and await fetch_status() == "committed"
