"""Functions that combine several results into a single result."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, overload

from gateway.railway.errors import Aggregate, Failure, combine_failures
from gateway.railway.result import Err, Ok, Result, refuse_no_result

__all__ = ("combine", "traverse", "traverse_all")

T = TypeVar("T")
U = TypeVar("U")
E = TypeVar("E", bound=Failure)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
G = TypeVar("G")
H = TypeVar("H")
J = TypeVar("J")
K = TypeVar("K")
M = TypeVar("M")
E1 = TypeVar("E1", bound=Failure)
E2 = TypeVar("E2", bound=Failure)
E3 = TypeVar("E3", bound=Failure)
E4 = TypeVar("E4", bound=Failure)
E5 = TypeVar("E5", bound=Failure)
E6 = TypeVar("E6", bound=Failure)
E7 = TypeVar("E7", bound=Failure)
E8 = TypeVar("E8", bound=Failure)
E9 = TypeVar("E9", bound=Failure)


# One overload per line: the table is read downwards.
# fmt: off
@overload
def combine(a: Result[A, E1], /) -> Result[tuple[A], E1]: ...
@overload
def combine(a: Result[A, E1], b: Result[B, E2], /) -> Result[tuple[A, B], E1 | E2 | Aggregate]: ...
@overload
def combine(a: Result[A, E1], b: Result[B, E2], c: Result[C, E3], /) -> Result[tuple[A, B, C], E1 | E2 | E3 | Aggregate]: ...
@overload
def combine(a: Result[A, E1], b: Result[B, E2], c: Result[C, E3], d: Result[D, E4], /) -> Result[tuple[A, B, C, D], E1 | E2 | E3 | E4 | Aggregate]: ...
@overload
def combine(a: Result[A, E1], b: Result[B, E2], c: Result[C, E3], d: Result[D, E4], g: Result[G, E5], /) -> Result[tuple[A, B, C, D, G], E1 | E2 | E3 | E4 | E5 | Aggregate]: ...
@overload
def combine(a: Result[A, E1], b: Result[B, E2], c: Result[C, E3], d: Result[D, E4], g: Result[G, E5], h: Result[H, E6], /) -> Result[tuple[A, B, C, D, G, H], E1 | E2 | E3 | E4 | E5 | E6 | Aggregate]: ...
@overload
def combine(a: Result[A, E1], b: Result[B, E2], c: Result[C, E3], d: Result[D, E4], g: Result[G, E5], h: Result[H, E6], j: Result[J, E7], /) -> Result[tuple[A, B, C, D, G, H, J], E1 | E2 | E3 | E4 | E5 | E6 | E7 | Aggregate]: ...
@overload
def combine(a: Result[A, E1], b: Result[B, E2], c: Result[C, E3], d: Result[D, E4], g: Result[G, E5], h: Result[H, E6], j: Result[J, E7], k: Result[K, E8], /) -> Result[tuple[A, B, C, D, G, H, J, K], E1 | E2 | E3 | E4 | E5 | E6 | E7 | E8 | Aggregate]: ...
@overload
def combine(a: Result[A, E1], b: Result[B, E2], c: Result[C, E3], d: Result[D, E4], g: Result[G, E5], h: Result[H, E6], j: Result[J, E7], k: Result[K, E8], m: Result[M, E9], /) -> Result[tuple[A, B, C, D, G, H, J, K, M], E1 | E2 | E3 | E4 | E5 | E6 | E7 | E8 | E9 | Aggregate]: ...
@overload
def combine(a: Result[A, E1], /, *results: Result[A, E1]) -> Result[tuple[A, ...], E1 | Aggregate]: ...
# fmt: on
def combine(*results: Result[Any, Any]) -> Result[tuple[Any, ...], Any]:
    """Return the values of all *results*, or all their failures combined, in argument order.

    Raises `TypeError` for a call or a coroutine, which has no result yet.
    """
    return _gather("combine", results)


def traverse(items: Iterable[T], function: Callable[[T], Result[U, E]]) -> Result[tuple[U, ...], E]:
    """Apply *function* to the *items* in turn, up to the first failure; return all values, or that failure.

    Raises `TypeError` if *function* returns a call or a coroutine: `Run.each` makes a call for each item.
    """
    values: list[U] = []
    lacks: tuple[str, ...] = ()
    for item in items:
        result = function(item)
        match result:
            case Ok(value, lacks=more):
                values.append(value)
                lacks += more
            case Err() as failed:
                return failed
            case _:
                refuse_no_result("traverse", result)
    return Ok(tuple(values), lacks=lacks)


def traverse_all(
    items: Iterable[T], function: Callable[[T], Result[U, E]]
) -> Result[tuple[U, ...], E | Aggregate]:
    """Apply *function* to all *items*; return all values, or all failures combined.

    Raises `TypeError` if *function* returns a call or a coroutine, as `traverse` does.
    """
    return _gather("traverse_all", [function(item) for item in items])


def _gather(name: str, results: Sequence[Result[T, E]]) -> Result[tuple[T, ...], E | Aggregate]:
    values: list[T] = []
    errors: list[E] = []
    lacks: tuple[str, ...] = ()
    for result in results:
        match result:
            case Err(error):
                errors.append(error)
            case Ok(value, lacks=more):
                values.append(value)
                lacks += more
            case _:
                refuse_no_result(name, *results)
    return Err(combine_failures(errors)) if errors else Ok(tuple(values), lacks=lacks)
