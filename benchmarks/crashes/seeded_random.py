"""Random choices, reproducible from a seed."""

import random
from typing import final

__all__ = ("SeededRandom",)


@final
class SeededRandom:
    """Random choices of one participant."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - not a secret
        self.choice = self._random.choice
        self.uniform = self._random.uniform
        self.randint = self._random.randint
        self.shuffle = self._random.shuffle

    def happens(self, probability: float) -> bool:
        """Return True with this *probability*."""
        return self._random.random() < probability
