"""Failures of calls: one closed family of frozen values.

Failure
├── Fault                      a single failure
│   ├── Invalid                the request breaks a rule
│   ├── Unauthorized           the caller is not authenticated
│   ├── Forbidden              the caller is not allowed to do this
│   ├── NotFound               the thing does not exist
│   ├── Conflict               the state of the thing does not allow it
│   ├── Gone                   the thing no longer exists
│   ├── PreconditionFailed     the thing has changed since the caller read it
│   ├── RateLimited            the caller has sent too many requests
│   ├── Unexpected             a bug
│   ├── Stuck                  a commit failed, and a write of it could not be undone
│   └── UpstreamFault          every call to a service can fail in these ways
│       ├── BadAnswer          the service gave an unusable answer
│       ├── Unavailable        the service could not be reached, or is overloaded
│       └── TimedOut           the service did not answer within its budget
└── Aggregate                  two or more faults

`Failure`, `Fault` and `UpstreamFault` are unions, so that a `match` over them can be exhaustive.
Every failure has a `code`, a `detail` (a sentence for the caller) and a `source` (`service.operation`,
or None).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Final, TypeAlias, TypeVar, cast, final

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
)

Violations: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""`(field, messages)` in first-seen order; the field is `""` if the violation concerns no single field."""

_SEVERAL: Final = 2


@dataclass(frozen=True, slots=True)
class _Fact:
    code: ClassVar[str]
    detail: str = ""
    source: str | None = field(default=None, kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class Invalid(_Fact):
    """The request breaks a rule."""

    code = "invalid"
    violations: Violations = field(default=(), kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class Unauthorized(_Fact):
    """The caller is not authenticated; *scheme* is how to authenticate (RFC 9110, 11.6.1)."""

    code = "unauthorized"
    scheme: str = field(default="Bearer", kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class Forbidden(_Fact):
    """The caller is not allowed to do this."""

    code = "forbidden"


@final
@dataclass(frozen=True, slots=True)
class NotFound(_Fact):
    """The thing does not exist."""

    code = "not-found"


@final
@dataclass(frozen=True, slots=True)
class Conflict(_Fact):
    """The state of the thing does not allow it."""

    code = "conflict"


@final
@dataclass(frozen=True, slots=True)
class Gone(_Fact):
    """The thing no longer exists."""

    code = "gone"


@final
@dataclass(frozen=True, slots=True)
class PreconditionFailed(_Fact):
    """The thing has changed since the caller read it."""

    code = "precondition-failed"


@final
@dataclass(frozen=True, slots=True)
class RateLimited(_Fact):
    """The caller has sent too many requests; *retry_after* is in seconds, None if unknown."""

    code = "rate-limited"
    retry_after: float | None = field(default=None, kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class Unexpected(_Fact):
    """A bug; *fault* is its id in the log, and the detail never leaves the process."""

    code = "unexpected"
    fault: str = field(default="", kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class Stuck(_Fact):
    """A commit failed, and a write of it could not be undone: an operator has to look at it."""

    code = "stuck"


@final
@dataclass(frozen=True, slots=True)
class BadAnswer(_Fact):
    """The service gave an unusable answer."""

    code = "bad-answer"


@final
@dataclass(frozen=True, slots=True)
class Unavailable(_Fact):
    """The service could not be reached, or is overloaded.

    *retry_after* is in seconds, None if unknown. *was_sent* is False if the request was certainly not sent,
    so that the service cannot have acted on it.
    """

    code = "unavailable"
    retry_after: float | None = field(default=None, kw_only=True)
    was_sent: bool = field(default=True, kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class TimedOut(_Fact):
    """The call did not end within *budget* seconds; *was_sent* is as in `Unavailable`."""

    code = "timed-out"
    budget: float | None = field(default=None, kw_only=True)
    was_sent: bool = field(default=True, kw_only=True)


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
    """Two or more faults in argument order, never nested."""

    code: ClassVar[str] = "aggregate"
    errors: tuple[Fault, ...]

    def __post_init__(self) -> None:
        if len(self.errors) < _SEVERAL:
            msg = "an aggregate has two or more faults; `combine_failures` returns a single one as it is"
            raise ValueError(msg)

    @property
    def detail(self) -> str:
        """Return how many calls failed, as a sentence."""
        return f"{len(self.errors)} calls failed"

    @property
    def source(self) -> None:
        """Return None: each part has a source of its own."""


Failure: TypeAlias = Fault | Aggregate

E = TypeVar("E", bound=Failure)


def combine_failures(errors: Iterable[E]) -> E | Aggregate:
    """Combine one or more failures into one, in the given order.

    Aggregates are flattened. All `Invalid` merge into the place of the first one: its source, fields in
    first-seen order, messages without repetition, details joined by `; `. A single fault left stays itself,
    anything else is an `Aggregate`; nothing else is de-duplicated. Combining is associative.
    """
    faults = _merge_invalids([*_flatten(errors)])
    if len(faults) > 1:
        return Aggregate(tuple(faults))
    # Sound: what is left is one of *errors*, or an `Invalid` made of several of them.
    return cast("E", faults[0])


def _flatten(errors: Iterable[Failure]) -> Iterator[Fault]:
    for error in errors:
        if isinstance(error, Aggregate):
            yield from error.errors
        else:
            yield error


def _merge_invalids(faults: list[Fault]) -> list[Fault]:
    invalids = [fault for fault in faults if isinstance(fault, Invalid)]
    if len(invalids) < _SEVERAL:
        return faults
    place = faults.index(invalids[0])
    others: list[Fault] = [fault for fault in faults if not isinstance(fault, Invalid)]
    return [*others[:place], _merge(invalids), *others[place:]]


def _merge(invalids: list[Invalid]) -> Invalid:
    fields: dict[str, dict[str, None]] = {}
    for invalid in invalids:
        for name, messages in invalid.violations:
            fields.setdefault(name, {}).update(dict.fromkeys(messages))
    return Invalid(
        "; ".join(invalid.detail for invalid in invalids if invalid.detail),
        source=invalids[0].source,
        violations=tuple((name, tuple(messages)) for name, messages in fields.items()),
    )
