"""What pydantic finds wrong with a request, in sentences that a caller understands."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from gateway.railway import Invalid

__all__ = ("MOST", "invalid")

MOST: Final = 100
"""The most fields that an answer lists: a request of 64 KiB can have thousands that are not valid."""

_Context: TypeAlias = Mapping[str, Any]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_FORMS: Final[Mapping[str, str]] = {
    r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$": (
        "must be an id: at most 64 letters, digits, hyphens and underscores, the first a letter or a digit"
    ),
    r"^(0|[1-9][0-9]{0,6})(\.[0-9]{1,2})?$": (
        'must be an amount of money such as "12.99": at most seven digits and two decimals'
    ),
    r"^[A-Z]{3}$": "must be a currency: three capital letters such as USD",
}


_SENTENCES: Final[Mapping[str, Callable[[_Context], str]]] = {
    "missing": lambda _: "is required",
    "extra_forbidden": lambda _: "is not a known field",
    "none_required": lambda _: "must be null",
    "model_type": lambda _: "must be an object",
    "dataclass_type": lambda _: "must be an object",
    "dict_type": lambda _: "must be an object",
    "list_type": lambda _: "must be a list",
    "string_type": lambda _: "must be a string",
    "bool_type": lambda _: "must be true or false",
    "bool_parsing": lambda _: "must be true or false",
    "int_type": lambda _: "must be a whole number",
    "int_parsing": lambda _: "must be a whole number",
    "int_from_float": lambda _: "must be a whole number",
    "float_type": lambda _: "must be a number",
    "float_parsing": lambda _: "must be a number",
    "finite_number": lambda _: "must be a number",
    "greater_than": lambda said: f"must be more than {said['gt']}",
    "greater_than_equal": lambda said: f"must be at least {said['ge']}",
    "less_than": lambda said: f"must be less than {said['lt']}",
    "less_than_equal": lambda said: f"must be at most {said['le']}",
    "multiple_of": lambda said: f"must be a multiple of {said['multiple_of']}",
    "literal_error": lambda said: f"must be {said['expected']}",
    "enum": lambda said: f"must be {said['expected']}",
    "string_too_short": lambda said: (
        "must not be empty"
        if said["min_length"] == 1
        else f"must have at least {_count(said['min_length'], 'character')}"
    ),
    "string_too_long": lambda said: f"must have at most {_count(said['max_length'], 'character')}",
    "string_pattern_mismatch": lambda said: _FORMS.get(
        said["pattern"], "does not have the form that it should have"
    ),
    "too_short": lambda said: f"must have at least {_count(said['min_length'], 'element')}",
    "too_long": lambda said: f"must have at most {_count(said['max_length'], 'element')}",
    "value_error": lambda said: str(said["error"]),
    "assertion_error": lambda said: str(said["error"]),
}


def invalid(errors: Sequence[Mapping[str, Any]], *, skip: int = 0) -> Invalid:
    """Turn *errors*, one or more as pydantic lists them, into a failure.

    Its violations stand in first-seen order, at most `MOST` of them. A field is named by its dotted path,
    without the first *skip* steps (FastAPI begins with where it was: `body`).
    """
    found: dict[str, dict[str, None]] = {}
    for error in errors:
        field = ".".join(map(str, error["loc"][skip:]))
        found.setdefault(field, {})[_sentence(error)] = None
    detail = "The request is not valid"
    if len(found) > MOST:
        detail += f" in {len(found)} fields, of which the first {MOST} are listed"
    violations = tuple((field, tuple(messages)) for field, messages in found.items())
    return Invalid(detail, violations=violations[:MOST])


def _sentence(error: Mapping[str, Any]) -> str:
    sentence = _SENTENCES.get(error["type"])
    if sentence is not None:
        return sentence(error.get("ctx", {}))
    stock: str = error["msg"]
    return stock.replace("Input should be", "must be", 1)
