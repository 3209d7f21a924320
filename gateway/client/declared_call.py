"""Metadata of a call to a service: its answer and the failures that it declares."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar, cast, final

from pydantic import TypeAdapter

from gateway.client.examples import build_example
from gateway.railway import Fault

__all__ = ("DeclaredCall",)

T = TypeVar("T")
E = TypeVar("E", bound=Fault)


@final
@dataclass(frozen=True, slots=True)
class DeclaredCall(Generic[T, E]):
    """The `CallInfo` of a call to *service*: the type of its *answer*, and the statuses it *declared*.

    *service* is the registered name, as messages have it: "user".
    """

    service: str
    answer: TypeAdapter[T]
    declared: Mapping[int, type[E]]

    @property
    def example(self) -> T:
        """Return an example of the answer; raise `NoExampleError` if its type has none."""
        return build_example(self.answer)

    @property
    def refusals(self) -> tuple[type[Fault], ...]:
        """Return the failures that the declared statuses stand for."""
        # Sound: every E is a `Fault`, which mypy does not infer for the classes.
        return cast("tuple[type[Fault], ...]", tuple(self.declared.values()))
