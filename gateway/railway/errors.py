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
`Unexpected`. The source is the name of the failed call (`service.operation`), or None.
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

_MIN_FAULTS: Final = 2


@dataclass(frozen=True, slots=True)
class _BaseFault:
    code: ClassVar[str]
    detail: str = ""
    source: str | None = field(default=None, kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class Invalid(_BaseFault):
    """The request breaks a rule; *violations* has the messages of each field."""

    code = "invalid"
    violations: Violations = field(default=(), kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class Unauthorized(_BaseFault):
    """The caller is not authenticated; *scheme* is the authentication scheme (RFC 9110, 11.6.1)."""

    code = "unauthorized"
    scheme: str = field(default="Bearer", kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class Forbidden(_BaseFault):
    """The caller is not allowed to do this."""

    code = "forbidden"


@final
@dataclass(frozen=True, slots=True)
class NotFound(_BaseFault):
    """The resource does not exist."""

    code = "not-found"


@final
@dataclass(frozen=True, slots=True)
class Conflict(_BaseFault):
    """The state of the resource does not allow the request."""

    code = "conflict"


@final
@dataclass(frozen=True, slots=True)
class Gone(_BaseFault):
    """The resource no longer exists."""

    code = "gone"


@final
@dataclass(frozen=True, slots=True)
class PreconditionFailed(_BaseFault):
    """The resource has changed since the caller read it."""

    code = "precondition-failed"


@final
@dataclass(frozen=True, slots=True)
class RateLimited(_BaseFault):
    """The caller has sent too many requests; *retry_after* is in seconds, None if unknown."""

    code = "rate-limited"
    retry_after: float | None = field(default=None, kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class Unexpected(_BaseFault):
    """A bug; *fault* is the id in the log record. The detail names the exception: callers never see it."""

    code = "unexpected"
    fault: str = field(default="", kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class Stuck(_BaseFault):
    """A commit failed, and a write could not be undone (compensated): an operator has to act."""

    code = "stuck"


@final
@dataclass(frozen=True, slots=True)
class BadAnswer(_BaseFault):
    """The service gave an unusable answer."""

    code = "bad-answer"


@final
@dataclass(frozen=True, slots=True)
class Unavailable(_BaseFault):
    """The service is unreachable or overloaded, or was not called (for example, the breaker was open).

    *retry_after* is in seconds, None if unknown. *was_sent* is False if the request was certainly not sent,
    so that the service cannot have acted on it.
    """

    code = "unavailable"
    retry_after: float | None = field(default=None, kw_only=True)
    was_sent: bool = field(default=True, kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class TimedOut(_BaseFault):
    """The call did not end in time.

    *budget* is the time limit in seconds, None if unknown. *was_sent* is as in `Unavailable`.
    """

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

E = TypeVar("E", bound=Failure)


def combine_failures(errors: Iterable[E]) -> E | Aggregate:
    """Combine *errors*, which must not be empty, into a single failure.

    Each `Aggregate` is replaced by its faults. All `Invalid` faults are merged into one fault, which has the
    place and the source of the first. The merged fault has all fields in first-seen order, the messages of
    each field without repetition, and all details joined with `; `. Other faults are not merged. If a single
    fault remains, it is returned as it is; several are returned as an `Aggregate`, in order. Combining is
    associative.
    """
    faults = _merge_invalids([*_flatten(errors)])
    if len(faults) > 1:
        return Aggregate(tuple(faults))
    # Sound: the remaining fault is among *errors*, or is an `Invalid` merged from them.
    return cast("E", faults[0])


def _flatten(errors: Iterable[Failure]) -> Iterator[Fault]:
    for error in errors:
        if isinstance(error, Aggregate):
            yield from error.errors
        else:
            yield error


def _merge_invalids(faults: list[Fault]) -> list[Fault]:
    invalids = [fault for fault in faults if isinstance(fault, Invalid)]
    if len(invalids) < _MIN_FAULTS:
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
