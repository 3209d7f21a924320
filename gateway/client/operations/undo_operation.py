"""Undos: compensations of a service's writes, by the key of the write or by an id of the service's own."""

from collections.abc import Callable, Collection
from typing import Final, TypeAlias, TypeVar, cast, final, overload

from pydantic import ValidationError

from gateway.client.answers.refusals import Refusals
from gateway.client.examples import NoExampleError
from gateway.client.operations.compensation import Compensation, RequestParts
from gateway.client.operations.endpoint import NO_CONTENT, Connection, Endpoint
from gateway.client.operations.key_placement import KeyPlacement
from gateway.railway import (
    UNANSWERED,
    Call,
    CallInfo,
    Err,
    Failure,
    Gone,
    Key,
    Ok,
    Result,
    SentWrite,
    Unavailable,
    Undo,
    UndoAttempt,
)

__all__ = ("DeclareUndo", "UndoMethods", "UndoRegistry")

T = TypeVar("T")

_Find: TypeAlias = Callable[[Key], Call[object, Failure]]
_UNDONE: Final = frozenset(range(200, 300)) - {202}
"""Statuses of a successful undo. 202 (Accepted) says that the service has yet to undo the write."""

_GONE: Final = range(400, 500)
_EXAMPLE: Final = Key("exe-example.commit.0.write")


@final
class UndoRegistry:
    """Undos of a *service* by name, and the checks of those that use the answers of their writes.

    *settling* is the time, in seconds, after which a write that is absent never takes effect.
    """

    def __init__(self, service: str, settling: float) -> None:
        self.undos: Final[dict[str, Undo]] = {}
        self.settling: Final = settling
        self._service = service
        self._compensations: dict[str, Compensation] = {}

    def add(self, compensation: Compensation, find: _Find | None) -> Undo:
        """Add an undo; raise `ValueError` if the service already has an undo of this name."""
        name = compensation.name
        if name in self.undos:
            msg = f"the {self._service} service already has an undo named {name!r}"
            raise ValueError(msg)
        if find is not None:
            self._compensations[name] = compensation
        attempt = self._undo_by_key(compensation) if find is None else self._undo_by_find(compensation, find)
        self.undos[name] = undo = Undo(name, attempt)
        return undo

    def check(self, undo: Undo, write: str, info: CallInfo) -> None:
        """Raise `ValueError` if *undo* cannot build its request from the example answer of *write*.

        An answer without an example is not checked.
        """
        if (compensation := self._compensations.get(undo.name)) is None:
            return
        try:
            example = info.example
        except (NoExampleError, ValidationError):
            return
        try:
            compensation.build_with_answer(_EXAMPLE, example)
        except Exception as error:
            reason = f"its request fails for the example of the answer: {_describe(error)}"
            msg = f"{undo.name} cannot undo {write}: {reason}"
            raise ValueError(msg) from error

    def _undo_by_key(self, compensation: Compensation) -> UndoAttempt:
        async def attempt(write: SentWrite) -> Result[object, Failure]:
            result = await compensation.make(compensation.build(write.key))
            if isinstance(result, Err) and isinstance(result.error, Gone):
                return self._judge_absent(compensation.name, write)
            return result

        return attempt

    def _undo_by_find(self, compensation: Compensation, find: _Find) -> UndoAttempt:
        async def attempt(write: SentWrite) -> Result[object, Failure]:
            if write.answer is not UNANSWERED and write.answer is not None:
                return await _undo_answer(compensation, write.key, write.answer)
            found = await find(write.key)
            match found:
                case Ok(None):
                    return self._judge_absent(compensation.name, write)
                case Ok(answer):
                    return await _undo_answer(compensation, write.key, answer)
                case Err():
                    return found

        return attempt

    def _judge_absent(self, name: str, write: SentWrite) -> Result[None, Unavailable]:
        """Return a success only if the service has answered the write, or can no longer receive it."""
        if write.answer is not UNANSWERED or write.age >= self.settling:
            return Ok(None)
        detail = f"The {self._service} service may still receive the write"
        return Err(Unavailable(detail, source=name, retry_after=self.settling - write.age, was_sent=False))


@final
class DeclareUndo:
    """Declaration of undos with one HTTP *method*."""

    def __init__(
        self, connection: Connection, registry: UndoRegistry, keys: KeyPlacement | None, method: str
    ) -> None:
        self._connection = connection
        self._registry = registry
        self._keys = keys
        self._method = method

    @overload
    def __call__(
        self,
        name: str,
        path: str,
        *,
        request: Callable[[Key], RequestParts] | None = None,
        success: Collection[int] | None = None,
        gone: Collection[int] = (),
        refusals: Refusals | None = None,
    ) -> Undo: ...
    @overload
    def __call__(
        self,
        name: str,
        path: str,
        *,
        find: Callable[[Key], Call[T | None, Failure]],
        request: Callable[[T], RequestParts] | None = None,
        success: Collection[int] | None = None,
        gone: Collection[int] = (),
        refusals: Refusals | None = None,
    ) -> Undo: ...
    def __call__(  # noqa: PLR0913 - the parts of a declaration, most of them by keyword
        self,
        name: str,
        path: str,
        *,
        find: Callable[[Key], Call[T | None, Failure]] | None = None,
        request: Callable[[T], RequestParts] | Callable[[Key], RequestParts] | None = None,
        success: Collection[int] | None = None,
        gone: Collection[int] = (),
        refusals: Refusals | None = None,
    ) -> Undo:
        """Declare the undo *name* (`service.operation`), and add it to the undos of the service.

        - *path*: template such as `/reservations/{key}`; `{key}` is the key of the write.
        - *request*: returns the other parts of the request, such as a body, for the key of the write, or with
          *find* for its answer.
        - *find*: read that returns the answer of the write under a key, or None if there is none. It is
          needed where the service undoes by an id of its own, because the answer of a write can be lost. It
          is called unless this process has the answer. The other parameters of *path* are attributes of the
          answer, unless *request* returns them.
        - *success*: statuses that mean that the write is undone, by default every 2xx except 202 (Accepted).
          The body does not matter, but an HTML page never counts.
        - *gone*: 4xx statuses that mean that there is nothing to undo (any more), such as `{404, 410}`. If
          the answer of the write was lost, they count only after the service's `settling_ms`.
        - *refusals*: responses whose status counts as *gone*, by default the refusals of the service.

        POST, PUT and PATCH carry the key of the write like a write does; with *find*, followed by `.undo`.
        Raise `ValueError` for an invalid path or status, if the service already has an undo of this name, and
        for an undo without *find* that needs the answer. *request* is called with an example to find out.
        """
        _check_gone(name, gone)
        undone = _UNDONE if success is None else success
        absent = dict.fromkeys(gone, Gone)
        endpoint = Endpoint(self._connection, name, self._method, path, NO_CONTENT, absent, undone, refusals)
        # Sound: the overloads give `request` the key without `find`, and the answer with it.
        build_parts = cast("Callable[[object], RequestParts] | None", request)
        compensation = Compensation(endpoint, build_parts, self._keys)
        if request is None and not endpoint.path.parameters and (self._keys is None or find is not None):
            msg = f"{name} cannot undo a write: its request has neither the key nor the answer of the write"
            raise ValueError(msg)
        if find is None:
            _check_needs_key_only(compensation)
        return self._registry.add(compensation, find)


@final
class UndoMethods:
    """Declarations of undos by HTTP method; the attribute `undo` of a `ServiceClient`."""

    def __init__(self, connection: Connection, registry: UndoRegistry, keys: KeyPlacement) -> None:
        self.delete: Final = DeclareUndo(connection, registry, None, "DELETE")
        self.post: Final = DeclareUndo(connection, registry, keys, "POST")
        self.put: Final = DeclareUndo(connection, registry, keys, "PUT")
        self.patch: Final = DeclareUndo(connection, registry, keys, "PATCH")


async def _undo_answer(compensation: Compensation, key: Key, answer: object) -> Result[object, Failure]:
    result = await compensation.make(compensation.build_with_answer(key, answer))
    return Ok(None) if isinstance(result, Err) and isinstance(result.error, Gone) else result


def _check_gone(name: str, gone: Collection[int]) -> None:
    for status in gone:
        if status not in _GONE:
            msg = f"{name}: {status!r} cannot mean that there is nothing to undo: expected a 4xx"
            raise ValueError(msg)


def _check_needs_key_only(compensation: Compensation) -> None:
    """Raise `ValueError` if the undo cannot build its request from the key of the write alone."""
    if names := compensation.answer_parameters:
        reason = f"its path needs {', '.join(names)}"
        raise ValueError(_explain_missing_find(compensation.name, reason))
    try:
        compensation.build(_EXAMPLE)
    except Exception as error:
        reason = f"its request fails for a key: {_describe(error)}"
        raise ValueError(_explain_missing_find(compensation.name, reason)) from error


def _explain_missing_find(name: str, reason: str) -> str:
    return (
        f"{name} cannot undo a write by its key: {reason}. An undo that needs the answer of the write needs"
        " find, a read that looks the write up by its key, because the answer can be lost"
    )


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
