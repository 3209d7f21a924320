"""What is due where the exact value is nobody's to know: an id, a time."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from pydantic import JsonValue
from typing_extensions import override

__all__ = ("Due", "Like", "filled")


@final
@dataclass(frozen=True, slots=True)
class Like:
    """Any string that *pattern* matches as a whole."""

    pattern: str

    @override
    def __str__(self) -> str:
        return f"something like {self.pattern}"


Due: TypeAlias = "Like | Mapping[str, Due] | Sequence[Due] | str | float | bool | None"
"""A JSON value, or one in which strings are only known by their patterns."""


_NOTHING: Final[Mapping[str, Due]] = {}


def filled(due: Due, came: Due) -> JsonValue:
    """Put what *came* in the place of each pattern in *due* that it is like; if all is right, both are equal.

    A pattern that something else has come for, or nothing, is put into words.
    """
    match due:
        case Like(pattern):
            return came if isinstance(came, str) and re.fullmatch(pattern, came) else str(due)
        case str() | float() | bool() | int() | None:
            return due
        case Mapping():
            given = came if isinstance(came, Mapping) else _NOTHING
            return {name: filled(value, given.get(name)) for name, value in due.items()}
        case _:
            parts = came if isinstance(came, Sequence) and len(came) == len(due) else [None] * len(due)
            return [filled(value, part) for value, part in zip(due, parts, strict=True)]
