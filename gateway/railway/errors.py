"""Every way a call can fail, as frozen info in one closed family.

Failure
├── Fault                      one thing went wrong
│   ├── Invalid                what was sent breaks a rule
│   ├── Unauthorized           nobody knows who is asking
│   ├── Forbidden              who is asking may not
│   ├── NotFound               there is no such thing
│   ├── Conflict               the thing's state does not allow it
│   ├── Gone                   there was such a thing
│   ├── PreconditionFailed     the thing has changed since
│   ├── RateLimited            too often
│   ├── Unexpected             a bug
│   ├── Stuck                  something was written and could not be undone
│   └── UpstreamFault          what can befall every call to a service
│       ├── BadAnswer          it answered with something unusable
│       ├── Unavailable        it was not reached, or is overloaded
│       └── TimedOut           it did not answer within its budget
└── Aggregate                  several things went wrong, each of them a Fault

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
    "combined",
)

Violations: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""`(field, messages)` in first-seen order; the field is `""` where none is to blame."""

_SEVERAL: Final = 2


@dataclass(frozen=True, slots=True)
class _Fact:
    code: ClassVar[str]
    detail: str = ""
    source: str | None = field(default=None, kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class Invalid(_Fact):
    """What was sent breaks a rule."""

    code = "invalid"
    violations: Violations = field(default=(), kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class Unauthorized(_Fact):
    """Nobody knows who is asking; *scheme* is how to say it (RFC 9110, 11.6.1)."""

    code = "unauthorized"
    scheme: str = field(default="Bearer", kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class Forbidden(_Fact):
    """Who is asking may not."""

    code = "forbidden"


@final
@dataclass(frozen=True, slots=True)
class NotFound(_Fact):
    """There is no such thing."""

    code = "not-found"


@final
@dataclass(frozen=True, slots=True)
class Conflict(_Fact):
    """The thing is in a state that does not allow it."""

    code = "conflict"


@final
@dataclass(frozen=True, slots=True)
class Gone(_Fact):
    """There was such a thing."""

    code = "gone"


@final
@dataclass(frozen=True, slots=True)
class PreconditionFailed(_Fact):
    """The thing has changed since the caller saw it."""

    code = "precondition-failed"


@final
@dataclass(frozen=True, slots=True)
class RateLimited(_Fact):
    """Too often; *retry_after* is in seconds, None where nobody knows."""

    code = "rate-limited"
    retry_after: float | None = field(default=None, kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class Unexpected(_Fact):
    """A bug; *fault* finds it in the log, and the detail never leaves the process."""

    code = "unexpected"
    fault: str = field(default="", kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class Stuck(_Fact):
    """A commit failed, and what it had written could not be undone: somebody has to look at it."""

    code = "stuck"


@final
@dataclass(frozen=True, slots=True)
class BadAnswer(_Fact):
    """The upstream answered with something unusable."""

    code = "bad-answer"


@final
@dataclass(frozen=True, slots=True)
class Unavailable(_Fact):
    """The upstream was not reached, or asks to come back later.

    *retry_after* is in seconds, None where nobody knows. *was_sent* is False where it is certain that the
    upstream was not asked, and so cannot have done anything.
    """

    code = "unavailable"
    retry_after: float | None = field(default=None, kw_only=True)
    was_sent: bool = field(default=True, kw_only=True)


@final
@dataclass(frozen=True, slots=True)
class TimedOut(_Fact):
    """The call did not end within *budget* seconds; *was_sent* is False if there was no time to begin it."""

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
    """Several calls failed: two faults or more, never nested, in argument order."""

    code: ClassVar[str] = "aggregate"
    errors: tuple[Fault, ...]

    def __post_init__(self) -> None:
        if len(self.errors) < _SEVERAL:
            msg = "one fault is not an aggregate; `combined` keeps it as it is"
            raise ValueError(msg)

    @property
    def detail(self) -> str:
        """Say how many calls failed."""
        return f"{len(self.errors)} calls failed"

    @property
    def source(self) -> None:
        """Stay silent: each part has a source of its own."""


Failure: TypeAlias = Fault | Aggregate

E = TypeVar("E", bound=Failure)


def combined(errors: Iterable[E]) -> E | Aggregate:
    """Fold one failure or more into one, in the order given.

    Aggregates are flattened. All `Invalid` merge into the place of the first one: its source, fields in
    first-seen order, messages without repetition, details joined by `; `. One fault left stays itself,
    anything else is an `Aggregate`; nothing else is de-duplicated. So combining is associative.
    """
    faults = _with_invalids_merged([*_flat(errors)])
    if len(faults) > 1:
        return Aggregate(tuple(faults))
    # Sound: what is left is one of *errors*, or an `Invalid` made of several of them.
    return cast("E", faults[0])


def _flat(errors: Iterable[Failure]) -> Iterator[Fault]:
    for error in errors:
        if isinstance(error, Aggregate):
            yield from error.errors
        else:
            yield error


def _with_invalids_merged(faults: list[Fault]) -> list[Fault]:
    invalids = [fault for fault in faults if isinstance(fault, Invalid)]
    if len(invalids) < _SEVERAL:
        return faults
    place = faults.index(invalids[0])
    others: list[Fault] = [fault for fault in faults if not isinstance(fault, Invalid)]
    return [*others[:place], _merged(invalids), *others[place:]]


def _merged(invalids: list[Invalid]) -> Invalid:
    fields: dict[str, dict[str, None]] = {}
    for invalid in invalids:
        for name, messages in invalid.violations:
            fields.setdefault(name, {}).update(dict.fromkeys(messages))
    return Invalid(
        "; ".join(invalid.detail for invalid in invalids if invalid.detail),
        source=invalids[0].source,
        violations=tuple((name, tuple(messages)) for name, messages in fields.items()),
    )
