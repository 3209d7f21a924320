"""Whether what was written is what was answered."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, cast

from benchmarks.storms.answers import NONE, Answer, Answers
from benchmarks.storms.request import ORDER, PURCHASE
from benchmarks.storms.stand import Stand, eventually

__all__ = ("wrongs",)

_PATIENCE: Final = 45.0
"""Seconds that commits and undos may take: both of the gateway's budgets, and some more."""
_CREATED: Final = 201
_ACCEPTED: Final = 202


async def wrongs(site: Stand, answers: Answers) -> Sequence[str]:
    """Name what stands in the books and was not answered with a success, and the other way round.

    Of a request that got no answer nobody knows what it should have come to.
    """
    account, payment = await site.services.books("account"), await site.services.books("payment")
    postings = Counter(one["reference"] for one in account["postings"] if one["status"] == "posted")
    executed = Counter(one["reference"] for one in payment["transfers"] if one["status"] == "executed")
    found: list[str] = []
    for answer in answers.but(NONE):
        name = answer.request.name
        if answer.request.path == "/transfers":
            due = int(await _stands(site, answer))
            if (postings[name], executed[name]) != (due, due):
                times = f"posted {postings[name]} times, executed {executed[name]} times"
                found.append(f"{name} ({answer.status}): {times}")
    inventory, order = await site.services.books("inventory"), await site.services.books("order")
    orders = [one for one in order["orders"] if one["status"] == "created"]
    written = (
        ("reservations", inventory["reservations"], ORDER),
        ("orders", orders, PURCHASE),
    )
    for what, entries, request in written:
        asked = answers.to((request.name,))
        due = sum([await _stands(site, answer) for answer in asked])
        if not due <= len(entries) <= due + len(asked.of(NONE)):
            found.append(f"{len(entries)} {what}, where {due} were answered")
    return found


async def _stands(site: Stand, answer: Answer) -> bool:
    """Say whether the answer is that it is done, or that it is being done and then is."""
    if answer.status != _ACCEPTED:
        return answer.status == _CREATED

    async def state() -> str:
        return cast("Mapping[str, str]", await site.client.read(answer.location or ""))["state"]

    async def has_ended() -> bool:
        return await state() != "running"

    return await eventually(has_ended, _PATIENCE) and await state() == "committed"
