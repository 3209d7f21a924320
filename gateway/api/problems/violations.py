"""Pydantic's validation errors as violations, in sentences for clients."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from gateway.railway import Invalid

__all__ = ("INVALID_REQUEST_DETAIL", "MAX_VIOLATIONS", "NOT_JSON", "build_invalid")

NOT_JSON: Final = "The body is not JSON"
INVALID_REQUEST_DETAIL: Final = "The request is not valid"

MAX_VIOLATIONS: Final = 100
"""The maximum number of fields in a problem: a request of 64 KiB can have thousands of invalid fields."""

_Context: TypeAlias = Mapping[str, Any]


def _pluralize(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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
    "greater_than": lambda context: f"must be more than {context['gt']}",
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "less_than": lambda context: f"must be less than {context['lt']}",
    "less_than_equal": lambda context: f"must be at most {context['le']}",
    "multiple_of": lambda context: f"must be a multiple of {context['multiple_of']}",
    "literal_error": lambda context: f"must be {context['expected']}",
    "enum": lambda context: f"must be {context['expected']}",
    "string_too_short": lambda context: (
        "must not be empty"
        if context["min_length"] == 1
        else f"must have at least {_pluralize(context['min_length'], 'character')}"
    ),
    "string_too_long": lambda context: f"must have at most {_pluralize(context['max_length'], 'character')}",
    "string_pattern_mismatch": lambda context: f"must match {context['pattern']}",
    "too_short": lambda context: f"must have at least {_pluralize(context['min_length'], 'element')}",
    "too_long": lambda context: f"must have at most {_pluralize(context['max_length'], 'element')}",
    "value_error": lambda context: str(context["error"]),
    "assertion_error": lambda context: str(context["error"]),
}


def build_invalid(errors: Sequence[Mapping[str, Any]], *, skip: int = 0) -> Invalid:
    """Return an `Invalid` for one or more pydantic *errors*.

    It has a violation for each field, in the order of the errors, and at most `MAX_VIOLATIONS` of them. A
    field is named by its dotted path without the first *skip* segments. In FastAPI's errors, the first
    segment is the part of the request, such as `body`.
    """
    found: dict[str, dict[str, None]] = {}
    for error in errors:
        field = ".".join(map(str, error["loc"][skip:]))
        found.setdefault(field, {})[_describe(error)] = None
    detail = INVALID_REQUEST_DETAIL
    if len(found) > MAX_VIOLATIONS:
        detail += f" in {len(found)} fields, of which the first {MAX_VIOLATIONS} are listed"
    violations = tuple((field, tuple(messages)) for field, messages in found.items())
    return Invalid(detail, violations=violations[:MAX_VIOLATIONS])


def _describe(error: Mapping[str, Any]) -> str:
    build_sentence = _SENTENCES.get(error["type"])
    if build_sentence is not None:
        return build_sentence(error.get("ctx", {}))
    message: str = error["msg"]
    return message.replace("Input should be", "must be", 1)
