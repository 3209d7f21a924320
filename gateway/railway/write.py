"""A change to the world that has not been made yet."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic, Never, TypeAlias, TypeVar, cast, final, overload

from gateway.railway.call import Call, CallInfo, Missing, mapped, observed, settled
from gateway.railway.context import RUN_CONTEXT, CallMode
from gateway.railway.errors import Failure
from gateway.railway.journal import Json, Key
from gateway.railway.misused import RunMisused
from gateway.railway.result import Ok, Result

__all__ = ("Step", "Undo", "Write", "WriteAttempt")

T = TypeVar("T")
U = TypeVar("U")
D = TypeVar("D")
E = TypeVar("E", bound=Failure)
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", bound=Failure, covariant=True)

WriteAttempt: TypeAlias = Callable[[Key], Coroutine[Any, Any, Result[T, E]]]
"""Makes the write once, under a key that the service knows it by if it comes again."""


@final
@dataclass(frozen=True, slots=True)
class Undo:
    """What takes a write back: its name (`service.operation`), and how to attempt it.

    It is given nothing but the key of the write, so that it can be made whatever else has been lost. It must
    be right to make it for a write that never arrived, and to make it again.
    """

    name: str
    attempt: WriteAttempt[object, Failure]

    async def make(self, key: Key) -> Result[object, Failure]:
        """Make the undo of the write under *key* once, under the eyes of the observer if there is one."""
        return await observed(self, lambda: self.attempt(key))


@final
@dataclass(frozen=True, slots=True)
class Write(Generic[T_co, E_co]):
    """A request that changes something, and has not been made yet: only a commit makes it.

    Inert and reusable, as a `Call` is. *arguments* say, in JSON, what is asked for; *undo* takes it back;
    *info* are what is known of it without making it, *is_shaped* says that it is made of another write.
    What it comes to tells how far it got: a value, that it is done; a fault that was not sent, or a failure
    with which a service declines, that it is refused and has changed nothing; else nobody knows.
    """

    name: str
    attempt: WriteAttempt[T_co, E_co]
    arguments: Mapping[str, Json] = field(default_factory=dict[str, Json])
    undo: Undo | None = None
    info: CallInfo | None = field(default=None, compare=False, repr=False)
    is_shaped: bool = False

    async def make(self, key: Key) -> Result[T_co, E_co]:
        """Make the write under *key* once, under the eyes of the observer if there is one."""
        return await (self.attempt(key) if self.is_shaped else observed(self, lambda: self.attempt(key)))

    @overload
    def map(self, change: Callable[[T_co], Awaitable[U]]) -> "Write[U, E_co]": ...
    @overload
    def map(self, change: Callable[[T_co], U]) -> "Write[U, E_co]": ...
    def map(self, change: Callable[[T_co], U | Awaitable[U]]) -> "Write[U, E_co]":
        """Change the value."""

        def attempt(key: Key) -> Coroutine[Any, Any, Result[U, E_co]]:
            as_usual: Callable[[T_co], U | Awaitable[U]] = _as_usual(change)
            return mapped(partial(self.make, key), as_usual)()

        return Write(self.name, attempt, self.arguments, self.undo, is_shaped=True)

    @overload
    def best_effort(self) -> Call[T_co | Missing, Never]: ...
    @overload
    def best_effort(self, default: D, /) -> Call[T_co | D, Never]: ...
    def best_effort(self, *default: D) -> Call[T_co | D | Missing, Never]:
        """Make an optional call of it, for a stage after a commit: neither journalled nor undone.

        The stage gives it its key. Anywhere else it raises `RunMisused`; so does what the methods of `Call`
        make of it, which has lost the way to a key: shape the write instead.
        """

        def keyed(key: Key) -> Call[T_co | D | Missing, Never]:
            # Sound: whichever the overload, `default` is what it says.
            return cast(
                "Call[T_co | D | Missing, Never]",
                Call(self.name, lambda: self.make(key), is_shaped=True).optional(*default),
            )

        async def unkeyed() -> Ok[T_co | D | Missing]:
            msg = f"{self.name} is made only by a stage after a commit, and as `best_effort` gave it"
            raise RunMisused(msg)

        return Call(self.name, unkeyed, is_shaped=True, is_optional=True, keyed=keyed)


def _as_usual(change: Callable[[T], U | Awaitable[U]]) -> Callable[[T], Awaitable[U]]:
    """Give *change*, in which calls are made as they usually are, and not as the write is."""

    async def changed(value: T) -> U:
        before = RUN_CONTEXT.set(replace(RUN_CONTEXT.get(), mode=CallMode.NORMAL))
        try:
            return await settled(change(value))
        finally:
            RUN_CONTEXT.reset(before)

    return changed


Step: TypeAlias = Call[T, E] | Write[T, E]
"""What a commit is made of: writes, and reads that ride along."""
