"""Kinds of requests with their expected responses."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

__all__ = ("ANY", "Body", "Case", "Headers", "Json", "draw", "repeat_of")

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | bool | None"
Body: TypeAlias = Mapping[str, Json]
Headers: TypeAlias = Mapping[str, str]

ANY: Final = "(any)"
"""Placeholder in expected bodies for a value that varies.

The received value must match its pattern in `load.comparison.VARYING`, or be a stock level in the range that
the order budget allows.
"""


@dataclass(frozen=True)
class Case:
    """A kind of request with its expected *status* and whole *response_body*.

    *weight* is its frequency relative to the other cases. If *is_write* is True, each request has a new
    Idempotency-Key, and each user sends the first request and every fourth after it twice, with the same key.
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
        """The names in locust's statistics: of the case, and of its repeats if it is a write."""
        return (self.title, repeat_of(self).title) if self.is_write else (self.title,)


def repeat_of(case: Case) -> Case:
    """Return *case* under another name, for a request that is repeated with the same key."""
    return replace(case, name=f"{case.name}, repeated")


def draw(cases: Sequence[Case]) -> Iterator[Case]:
    """Yield cases forever, in rounds: each round has every case as often as its weight, in random order."""
    deck = [case for case in cases for _ in range(case.weight)]
    while True:
        random.shuffle(deck)
        yield from deck
