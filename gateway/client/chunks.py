"""Chunks: a read with a long list of values in its query, made as several requests."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast, final

from pydantic import TypeAdapter

from gateway.resilience.validation import check_whole

__all__ = ("Chunks", "choose_join", "split_pairs")

T = TypeVar("T")

Join: TypeAlias = Callable[[Sequence[T]], T]


@final
@dataclass(frozen=True, slots=True)
class Chunks(Generic[T]):
    """Division of a read into requests, each with some of the values of one query parameter.

    - *parameter*: name of the query parameter, whose value is a list.
    - *size*: most values in a request; None for as many as its request line can have.
    - *join*: returns the answer of the call for the answers of the requests, in the order of the values. By
      default, lists, tuples, sets and dicts are joined; any other answer needs this function.

    The rest of the query is in every request. If it leaves less than half of the room for the values, a call
    would need too many requests: it makes none, and is `Unavailable`.

    Raise `ValueError` for a size that is no positive whole number.
    """

    parameter: str
    size: int | None = None
    join: Join[T] | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            check_whole("size", self.size, 1)


def split_pairs(
    pairs: Sequence[tuple[str, str]], parameter: str, room: int, size: int | None
) -> Iterator[str]:
    """Yield queries of at most *room* characters, each with at most *size* values of *parameter*.

    The *pairs* are names and encoded `name=value`. Each query has the pairs with another name too, in their
    order. A query with a single value of *parameter* may be longer than *room*, and so is the only query if
    the other pairs leave less than half of *room*.
    """
    names = [name for name, _ in pairs]
    first = names.index(parameter) if parameter in names else len(pairs)
    values = [pair for name, pair in pairs if name == parameter]
    before = [pair for _, pair in pairs[:first]]
    after = [pair for name, pair in pairs[first:] if name != parameter]
    left = room - sum(len(pair) + 1 for pair in (*before, *after))
    if left < room // 2 and sum(len(value) + 1 for value in values) > left:
        yield "&".join(pair for _, pair in pairs)
        return
    for chunk in _pack(values, left, size or len(values)):
        yield "&".join((*before, *chunk, *after))


def choose_join(name: str, chunks: Chunks[T], answer: TypeAdapter[T]) -> Join[T]:
    """Return the function that joins the answers of *chunks*; *name* is that of the operation.

    Raise `ValueError` if answers of this type cannot be joined without a function of their own.
    """
    if chunks.join is not None:
        return chunks.join
    schema = cast("dict[str, Any]", answer.core_schema)
    if schema["type"] == "definitions":
        schema = schema["schema"]
    join = _JOINS.get(schema["type"])
    if join is None or (schema["type"] == "tuple" and "variadic_item_index" not in schema):
        msg = f"{name}: answers in chunks must be lists, tuples, sets or dicts, or need `Chunks(join=...)`"
        raise ValueError(msg)
    # Sound: it returns a value of the type of the answers.
    return cast("Join[T]", join)


def _pack(values: Sequence[str], room: int, size: int) -> Iterator[Sequence[str]]:
    """Yield *values* in chunks of at most *size* values, and of at most *room* characters with separators."""
    chunk: list[str] = []
    length = 0
    for value in values:
        if chunk and (len(chunk) == size or length + len(value) > room):
            yield chunk
            chunk, length = [], 0
        chunk.append(value)
        length += len(value) + 1
    yield chunk


def _join_mappings(answers: Sequence[Mapping[Any, Any]]) -> Mapping[Any, Any]:
    return {key: value for answer in answers for key, value in answer.items()}


_JOINS: Final[Mapping[str, Callable[[Sequence[Any]], object]]] = MappingProxyType(
    {
        "list": lambda answers: list(chain.from_iterable(answers)),
        "tuple": lambda answers: tuple(chain.from_iterable(answers)),
        "set": lambda answers: set(chain.from_iterable(answers)),
        "frozenset": lambda answers: frozenset(chain.from_iterable(answers)),
        "dict": _join_mappings,
    }
)
"""Functions that join answers, by the type of their pydantic schema."""
