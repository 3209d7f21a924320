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
    """`CallInfo` of a call to a service.

    - *service*: the registered name, such as "user".
    - *answer*: type of a successful response.
    - *declared*: failures of the call by status.
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
        """Return the classes of the declared failures."""
        # Sound: every E is a `Fault`, which mypy does not infer for the classes.
        return cast("tuple[type[Fault], ...]", tuple(self.declared.values()))
