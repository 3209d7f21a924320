"""One kind of request, and what must come of it."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

__all__ = ("SOME", "Body", "Case", "Headers", "Json", "again", "dealt")

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | bool | None"
Body: TypeAlias = Mapping[str, Json]
Headers: TypeAlias = Mapping[str, str]

SOME: Final = "(some)"
"""Stands in bodies for what cannot be known, and is as `load.comparison.VARYING` says."""


@dataclass(frozen=True)
class Case:
    """One kind of request, and what must come of it: a *status*, and the whole *body*.

    It comes up *weight* times as often as one of weight 1. Where it *writes* it has an Idempotency-Key, and
    one in four is sent again under the same key, the first of all.
    """

    name: str
    path: str
    sent: Body | None
    status: int
    body: Body
    method: str = "POST"
    weight: int = 1
    headers: Headers = field(default_factory=dict[str, str])
    writes: bool = False

    @property
    def title(self) -> str:
        """Name it in the figures."""
        return f"{self.path}: {self.name} ({self.status})"

    @property
    def titles(self) -> Sequence[str]:
        """Give the names of all that is sent of it."""
        return (self.title, again(self).title) if self.writes else (self.title,)


def again(case: Case) -> Case:
    """Make the case of a request that is sent a second time."""
    return replace(case, name=f"{case.name}, again")


def dealt(cases: Sequence[Case]) -> Iterator[Case]:
    """Give *cases* for ever, each as often as its weight says, shuffled anew when all have come up."""
    deck = [case for case in cases for _ in range(case.weight)]
    while True:
        random.shuffle(deck)
        yield from deck
