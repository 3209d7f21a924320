"""Failures of calls: a closed family of frozen values.

Failure
├── Fault                      a single failure
│   ├── Invalid                the request breaks a rule
│   ├── Unauthorized           the caller is not authenticated
│   ├── Forbidden              the caller is not allowed to do this
│   ├── NotFound               the resource does not exist
│   ├── Conflict               the state of the resource does not allow the request
│   ├── Gone                   the resource no longer exists
│   ├── PreconditionFailed     the resource has changed since the caller read it
│   ├── RateLimited            the caller has sent too many requests
│   ├── Unexpected             a bug
│   ├── Stuck                  a commit failed, and a write could not be undone
│   └── UpstreamFault          every call to a service can fail in these ways
│       ├── BadAnswer          the service gave an unusable answer
│       ├── Unavailable        the service is unreachable or overloaded, or was not called
│       └── TimedOut           the call did not end in time
└── Aggregate                  two or more faults

`Failure`, `Fault` and `UpstreamFault` are unions, so that a `match` over them can be exhaustive.
Every failure has a `code`, a `detail` and a `source`. The detail is a sentence for the caller, except in
`Unexpected`. The source is the name of the failed call (`service.operation`), or None. A fault of a call that
was made for an item of a list (`Run.each`) has the position of the item, from 0, as its `item`.

Services and pipelines can have errors of their own, with their own code and members. Each is derived from one
of the first eight classes, which is its *family*, so that a `match` over `Failure` stays exhaustive:

    class InsufficientPoints(Conflict, code="insufficient-points"):
        '''The account has fewer points than the reward costs.'''

        balance: int
"""

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, ClassVar, Final, Self, TypeAlias, TypeVar, cast, dataclass_transform, final

__all__ = (
    "Aggregate",
    "BadAnswer",
    "Conflict",
    "Failure",
    "Fault",
    "Forbidden",
    "Gone",
    "Invalid",
    "NotFound",
    "PreconditionFailed",
    "RateLimited",
    "Stuck",
    "TimedOut",
    "Unauthorized",
    "Unavailable",
    "Unexpected",
    "UpstreamFault",
    "Violations",
    "combine_failures",
    "get_defining_class",
    "get_family",
    "list_members",
    "mark_item",
)

Violations: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""`(field, messages)` in first-seen order; the field is `""` if the violation concerns no single field."""

_MIN_FAULTS: Final = 2
_CODE: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class _FaultClass(type):
    """Metaclass that makes each class of faults a frozen dataclass with slots, keyword-only fields, a code.

    A class without docstring has the docstring of its base class. Raise `TypeError` for an own error without
    a code of its own, with several base classes, or with a field that its base class has already.
    """

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], *, code: str = "") -> Any:  # noqa: ANN401 - the class, for which type checkers use `dataclass_transform`
        if "__slots__" in namespace:  # `dataclass` creates the class again, with slots
            return super().__new__(cls, name, bases, namespace)
        if any(fields(base) for base in bases):  # a fault: neither the root of the classes nor `_BaseFault`
            _check_base(name, bases, code)
            namespace = {"__doc__": bases[0].__doc__, **namespace, "code": code}
        created: type = super().__new__(cls, name, bases, namespace)
        _check_fields(created)
        return dataclass(frozen=True, slots=True, kw_only=True)(created)


def _check_base(name: str, bases: tuple[type, ...], code: str) -> None:
    base = bases[0]
    if len(bases) > 1 or "__final__" in vars(base):
        msg = f"{name} must be derived from one class of errors that is not final, such as Conflict"
        raise TypeError(msg)
    if _CODE.fullmatch(code) is None or code == getattr(base, "code", None):
        example = _WORD.sub("-", name).lower()
        msg = f"{name} needs a code of its own: class {name}({base.__name__}, code={example!r})"
        raise TypeError(msg)


def _check_fields(created: type) -> None:
    inherited = {known.name for base in created.__bases__ if base is not object for known in fields(base)}
    if repeated := inherited & {*created.__annotations__, *vars(created)}:
        msg = f"{created.__name__} cannot change {min(repeated)}, a field of its base class: rename it"
        raise TypeError(msg)


class _Root(metaclass=_FaultClass):
    """Root of the classes; type checkers take only the classes derived from it for dataclasses (PEP 681)."""


class _BaseFault(_Root):
    code: ClassVar[str]
    detail: str = field(default="", kw_only=False)
    source: str | None = None
    item: int | None = None


class Invalid(_BaseFault, code="invalid"):
    """The request breaks a rule; *violations* has the messages of each field.

    *items* has the item of each violation, in the same order, if the fault was merged from faults of several
    items; otherwise it is empty.
    """

    violations: Violations = ()
    items: tuple[int | None, ...] = ()

    @classmethod
    def at(cls, name: str) -> type[Self]:
        """Return a class that creates instances of this class whose violation concerns the field *name*.

        The detail is the message of the violation. *name* is a dotted path in the body of the request, or a
        parameter of its path. Use the class where a service or a pipeline refuses a field of the request:
        `declared={422: Invalid.at("payment_id")}`.
        """

        def create(_: type[Self], detail: str = "", **members: Any) -> Self:  # noqa: ANN401 - of any field
            return cls(detail, violations=((name, (detail,)),), **members)

        # Sound: the instances, which are all that callers get, are instances of *cls*.
        return cast("type[Self]", _FaultClass(cls.__name__, (cls,), {"__slots__": (), "__new__": create}))


class Unauthorized(_BaseFault, code="unauthorized"):
    """The caller is not authenticated; *scheme* is the authentication scheme (RFC 9110, 11.6.1)."""

    scheme: str = "Bearer"


class Forbidden(_BaseFault, code="forbidden"):
    """The caller is not allowed to do this."""


class NotFound(_BaseFault, code="not-found"):
    """The resource does not exist."""


class Conflict(_BaseFault, code="conflict"):
    """The state of the resource does not allow the request."""


class Gone(_BaseFault, code="gone"):
    """The resource no longer exists."""


class PreconditionFailed(_BaseFault, code="precondition-failed"):
    """The resource has changed since the caller read it."""


class RateLimited(_BaseFault, code="rate-limited"):
    """The caller has sent too many requests; *retry_after* is in seconds, None if unknown."""

    retry_after: float | None = None


@final
class Unexpected(_BaseFault, code="unexpected"):
    """A bug; *fault* is the id in the log record. The detail names the exception: callers never see it."""

    fault: str = ""


@final
class Stuck(_BaseFault, code="stuck"):
    """A commit failed, and a write could not be undone (compensated): an operator has to act."""


@final
class BadAnswer(_BaseFault, code="bad-answer"):
    """The service gave an unusable answer.

    *is_transient* is True if the next answer may be usable: a proxy has answered in place of the service
    (502, 520, 522, 524). Then *retry_after* is the pause that it asked for in seconds, None if unknown.
    """

    is_transient: bool = False
    retry_after: float | None = None


@final
class Unavailable(_BaseFault, code="unavailable"):
    """The service is unreachable or overloaded, or was not called (for example, the breaker was open).

    *retry_after* is in seconds, None if unknown. *was_sent* is False if the request was certainly not sent,
    so that the service cannot have acted on it.
    """

    retry_after: float | None = None
    was_sent: bool = True


@final
class TimedOut(_BaseFault, code="timed-out"):
    """The call did not end in time.

    *budget* is the time limit in seconds, None if unknown. *was_sent* is as in `Unavailable`.
    """

    budget: float | None = None
    was_sent: bool = True


UpstreamFault: TypeAlias = BadAnswer | Unavailable | TimedOut
Fault: TypeAlias = (
    Invalid
    | Unauthorized
    | Forbidden
    | NotFound
    | Conflict
    | Gone
    | PreconditionFailed
    | RateLimited
    | Unexpected
    | Stuck
    | UpstreamFault
)


@final
@dataclass(frozen=True, slots=True)
class Aggregate:
    """Two or more faults, in argument order. Raises `ValueError` for fewer."""

    code: ClassVar[str] = "aggregate"
    errors: tuple[Fault, ...]

    def __post_init__(self) -> None:
        if len(self.errors) < _MIN_FAULTS:
            msg = "an aggregate has two or more faults; `combine_failures` returns a single fault as it is"
            raise ValueError(msg)

    @property
    def detail(self) -> str:
        """Return a sentence with the number of faults."""
        return f"{len(self.errors)} calls failed"

    @property
    def source(self) -> None:
        """Return None: each fault has its own source."""


Failure: TypeAlias = Fault | Aggregate


def get_family(kind: type[Failure]) -> type[Failure]:
    """Return the member of `Failure` that *kind* is, or is derived from."""
    return next(base for base in kind.__mro__ if base.__base__ in {_BaseFault, object})


def get_defining_class(kind: type[Failure]) -> type[Failure]:
    """Return the class that defines the code of *kind*: *kind* itself, unless it comes from `Invalid.at`."""
    return next(base for base in kind.__mro__ if "code" in vars(base))


def list_members(kind: type[Failure]) -> tuple[str, ...]:
    """Return the names of the fields that an own error adds to its family, in the order of declaration."""
    # Sound: every class is hashable, which mypy does not see for `cache`.
    return _find_members(cast("Hashable", kind))


@cache
def _find_members(key: Hashable) -> tuple[str, ...]:
    kind = cast("type[Failure]", key)
    known = {known.name for known in fields(get_family(kind))}
    return tuple(member.name for member in fields(kind) if member.name not in known)


E = TypeVar("E", bound=Failure)


def combine_failures(errors: Iterable[E]) -> E | Aggregate:
    """Combine *errors*, which must not be empty, into a single failure.

    Each `Aggregate` is replaced by its faults. All `Invalid` faults are merged into one fault, which has the
    place and the source of the first. The merged fault has all fields in first-seen order, the messages of
    each field without repetition, and all details joined with `; `. Fields of different items stay apart.
    Other faults, and errors derived from `Invalid`, are not merged. If a single fault remains, it is returned
    as it is; several are returned as an `Aggregate`, in order. Combining is associative.
    """
    faults = _merge_invalids([*_flatten(errors)])
    if len(faults) > 1:
        return Aggregate(tuple(faults))
    # Sound: the remaining fault is among *errors*, or is an `Invalid` merged from them.
    return cast("E", faults[0])


def mark_item(failure: E, item: int) -> E:
    """Return *failure* with the position *item* in each of its faults, instead of any other position."""
    if isinstance(failure, Aggregate):
        # Sound: it is an `Aggregate` as before.
        return cast("E", Aggregate(tuple(mark_item(fault, item) for fault in failure.errors)))
    if isinstance(failure, Invalid):
        return replace(failure, item=item, items=())
    return replace(failure, item=item)


def _flatten(errors: Iterable[Failure]) -> Iterator[Fault]:
    for error in errors:
        if isinstance(error, Aggregate):
            yield from error.errors
        else:
            yield error


def _merge_invalids(faults: list[Fault]) -> list[Fault]:
    invalids = [fault for fault in faults if type(fault) is Invalid]
    if len(invalids) < _MIN_FAULTS:
        return faults
    place = faults.index(invalids[0])
    others: list[Fault] = [fault for fault in faults if type(fault) is not Invalid]
    return [*others[:place], _merge(invalids), *others[place:]]


def _merge(invalids: list[Invalid]) -> Invalid:
    fields: dict[tuple[int | None, str], dict[str, None]] = {}
    for invalid in invalids:
        for item, name, messages in _list_violations(invalid):
            fields.setdefault((item, name), {}).update(dict.fromkeys(messages))
    items = tuple(item for item, _ in fields)
    return Invalid(
        "; ".join(invalid.detail for invalid in invalids if invalid.detail),
        source=invalids[0].source,
        violations=tuple((name, tuple(messages)) for (_, name), messages in fields.items()),
        items=items if any(item is not None for item in items) else (),
    )


def _list_violations(invalid: Invalid) -> Iterator[tuple[int | None, str, tuple[str, ...]]]:
    """Yield the item, the field and the messages of each violation.

    A fault of an item that has no violations yields its detail: a merged fault has no item of its own.
    """
    violations = invalid.violations
    if not violations and invalid.item is not None:
        violations = (("", (invalid.detail,) if invalid.detail else ()),)
    items = invalid.items or (invalid.item,) * len(violations)
    for item, (name, messages) in zip(items, violations, strict=True):
        yield item, name, messages
