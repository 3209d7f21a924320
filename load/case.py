"""One kind of request with its expected response."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

__all__ = ("ANY", "Body", "Case", "Headers", "Json", "draw", "repeat_of")

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | bool | None"
Body: TypeAlias = Mapping[str, Json]
Headers: TypeAlias = Mapping[str, str]

ANY: Final = "(any)"
"""Placeholder in expected bodies for a value that matches its pattern in `load.comparison.VARYING`."""


@dataclass(frozen=True)
class Case:
    """One kind of request with its expected *status* and whole *response_body*.

    *weight* is its frequency relative to the other cases. A write has an Idempotency-Key; the first and then
    one in four is repeated with the same key.
    """

    name: str
    path: str
    request_body: Body | None
    status: int
    response_body: Body
    method: str = "POST"
    weight: int = 1
    headers: Headers = field(default_factory=dict[str, str])
    is_write: bool = False

    @property
    def title(self) -> str:
        """The name in locust's statistics."""
        return f"{self.path}: {self.name} ({self.status})"

    @property
    def titles(self) -> Sequence[str]:
        """The names in locust's statistics of the case and its repeats."""
        return (self.title, repeat_of(self).title) if self.is_write else (self.title,)


def repeat_of(case: Case) -> Case:
    """Return the case of a request that is repeated with the same key."""
    return replace(case, name=f"{case.name}, repeated")


def draw(cases: Sequence[Case]) -> Iterator[Case]:
    """Yield cases forever, in random order; each round contains every case as often as its weight."""
    deck = [case for case in cases for _ in range(case.weight)]
    while True:
        random.shuffle(deck)
        yield from deck
