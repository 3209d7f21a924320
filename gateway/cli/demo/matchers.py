"""Expected JSON values, with patterns for values that differ from run to run, such as ids and times."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from pydantic import JsonValue
from typing_extensions import override

__all__ = ("ExpectedJson", "Matching", "resolve_patterns")


@final
@dataclass(frozen=True, slots=True)
class Matching:
    """Expects any string that *pattern* matches in full."""

    pattern: str

    @override
    def __str__(self) -> str:
        return f"a string matching {self.pattern}"


ExpectedJson: TypeAlias = (
    "Matching | Mapping[str, ExpectedJson] | Sequence[ExpectedJson] | str | float | bool | None"
)
"""A JSON value that may contain patterns in place of strings."""


_EMPTY: Final[Mapping[str, ExpectedJson]] = {}


def resolve_patterns(expected: ExpectedJson, actual: ExpectedJson) -> JsonValue:
    """Return *expected* with each pattern replaced by the string in *actual* that it matches.

    The result equals *actual* if and only if *actual* is as expected. A pattern that does not match is
    replaced by its description.
    """
    match expected:
        case Matching(pattern):
            return actual if isinstance(actual, str) and re.fullmatch(pattern, actual) else str(expected)
        case str() | float() | bool() | int() | None:
            return expected
        case Mapping():
            fields = actual if isinstance(actual, Mapping) else _EMPTY
            return {name: resolve_patterns(value, fields.get(name)) for name, value in expected.items()}
        case _:
            missing = [None] * len(expected)
            items = actual if isinstance(actual, Sequence) and len(actual) == len(expected) else missing
            return [resolve_patterns(value, item) for value, item in zip(expected, items, strict=True)]
