"""What came of many requests."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, final

from benchmarks.storms.request import Request

__all__ = ("LEFT", "NONE", "Answer", "Answers")

NONE: Final = 0
"""In the place of a status: there was no answer, or none that whoever asked would wait for."""
LEFT: Final = -1
"""In the place of a status: whoever asked had hung up."""
_SUCCESSES: Final = frozenset({200, 201})


class Answer(NamedTuple):
    """What came of one request that was due at *begun* on the loop's clock, and that so many *seconds* later.

    It was sent *late* by some of those. A success is *whole* unless it says that something is missing.
    """

    request: Request
    status: int
    begun: float
    seconds: float
    late: float = 0.0
    location: str | None = None
    whole: bool = True


@final
class Answers:
    """Answers in the order in which their requests were due."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        self._all: Final = sorted(answers, key=lambda answer: answer.begun)

    def __iter__(self) -> Iterator[Answer]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    @property
    def statuses(self) -> Counter[int]:
        """Count them by status."""
        return Counter(answer.status for answer in self._all)

    @property
    def told(self) -> str:
        """Write the statuses down: "200: 12, 503: 3"."""
        names = {NONE: "none", LEFT: "left"}
        told = [f"{names.get(status, status)}: {n}" for status, n in sorted(self.statuses.items())]
        if self.lacking:
            told.append(f"lacking something: {len(self.lacking)}")
        return ", ".join(told) or "nothing"

    def of(self, *statuses: int) -> "Answers":
        """Give those with one of these statuses."""
        return Answers(answer for answer in self._all if answer.status in statuses)

    def but(self, *statuses: int) -> "Answers":
        """Give those with none of these statuses."""
        return Answers(answer for answer in self._all if answer.status not in statuses)

    def to(self, names: Collection[str]) -> "Answers":
        """Give those to requests of these names."""
        return Answers(answer for answer in self._all if answer.request.name in names)

    @property
    def lacking(self) -> "Answers":
        """Give the successes that lack something."""
        return Answers(answer for answer in self._all if not answer.whole and answer.status in _SUCCESSES)

    @property
    def unwell(self) -> "Answers":
        """Give those that are no success, or one that lacks something."""
        return Answers(answer for answer in self._all if not answer.whole or answer.status not in _SUCCESSES)

    def by(self, end: float) -> "Answers":
        """Give those that had come by *end*."""
        return Answers(answer for answer in self._all if answer.begun + answer.seconds <= end)

    def sent_by(self, end: float) -> "Answers":
        """Give those whose requests had been sent by *end*, whenever they were due."""
        return Answers(answer for answer in self._all if answer.begun + answer.late <= end)

    def between(self, start: float, end: float = math.inf) -> "Answers":
        """Give those whose requests were due from *start* until *end*."""
        return Answers(answer for answer in self._all if start <= answer.begun < end)

    def rounds(self, count: int) -> Sequence["Answers"]:
        """Part them into *count* rounds, one after the other, of which none is empty."""
        size = max(1, math.ceil(len(self._all) / count))
        return [Answers(self._all[at : at + size]) for at in range(0, len(self._all), size)]

    def quantile(self, share: float) -> float:
        """Give within how many milliseconds that *share* of them came; NaN if there are none."""
        ordered = sorted(answer.seconds for answer in self._all)
        if not ordered:
            return math.nan
        return ordered[min(len(ordered) - 1, math.floor(share * len(ordered)))] * 1000

    @property
    def start(self) -> float:
        """Give when the first request was due."""
        return self._all[0].begun

    @property
    def late(self) -> float:
        """Give by how many milliseconds the last hundredth was sent too late: by a busy sender."""
        return Answers(answer._replace(seconds=answer.late) for answer in self._all).p99

    @property
    def median(self) -> float:
        """Give the median time, in milliseconds."""
        return self.quantile(0.5)

    @property
    def p99(self) -> float:
        """Give the 99th percentile of the times, in milliseconds."""
        return self.quantile(0.99)
