"""Terms of the outbound policies for a service: the settings and their defaults.

All times are in seconds. A value of a wrong type or out of range raises a `ValueError` that names the
argument.
"""

from dataclasses import dataclass, field
from itertools import accumulate, repeat
from typing import final

from gateway.resilience.validation import (
    check_at_least,
    check_at_most,
    check_between,
    check_fraction,
    check_seconds,
    check_whole,
)

__all__ = ("BreakerTerms", "ConcurrencyTerms", "PolicyTerms", "RetryTerms")


@final
@dataclass(frozen=True, slots=True)
class ConcurrencyTerms:
    """Terms of the concurrency limit.

    At most *max_concurrency* attempts (at least 1) run at once. Further attempts queue, first come, first
    served, each for at most *queue_timeout* seconds; 0 means no queue.

    Not configurable: the queue holds as many attempts as the limit. A call that is shed fails with
    `Unavailable`, with a `retry_after` of 1.0 seconds.
    """

    max_concurrency: int
    # Attempts that have queued for long are usually wasted: their callers have given up. A short timeout
    # keeps a full queue from staying full (controlled delay, https://queue.acm.org/detail.cfm?id=2839461).
    queue_timeout: float = 0.1

    def __post_init__(self) -> None:
        check_whole("max_concurrency", self.max_concurrency, 1)
        check_at_least("queue_timeout", self.queue_timeout, 0)


@final
@dataclass(frozen=True, slots=True)
class BreakerTerms:
    """Terms of a circuit breaker.

    The breaker opens when at least *failure_rate* of the recent attempts failed (a fraction above 0, at most
    1). Recent attempts are the last *volume* attempts that ended within the last *window* seconds. With fewer
    than *minimum* recent attempts the breaker stays closed. It stays open for *pause* seconds, then admits
    *probes* attempts. It closes when all probes succeed, and opens again when a probe fails.

    With *slow_rate*, the breaker also opens when at least that share of the recent attempts took *slow_after*
    seconds or longer, whether they failed or not; a probe that takes as long fails. By default a slow service
    is called as any other.

    *volume*, *minimum* and *probes* are at least 1, and *minimum* is at most *volume*. Times are above 0, and
    *pause* is at most *max_pause*.

    Not configurable: each failed probe doubles the pause, up to *max_pause* seconds. So a service that stays
    down is probed less and less often.
    """

    volume: int = 100
    window: float = 10.0
    minimum: int = 20
    failure_rate: float = 0.5
    pause: float = 0.1
    max_pause: float = 1.0
    probes: int = 3
    slow_rate: float | None = None
    slow_after: float = 0.5

    def __post_init__(self) -> None:
        check_whole("volume", self.volume, 1)
        check_seconds("window", self.window)
        check_whole("minimum", self.minimum, 1)
        check_at_most("minimum", self.minimum, "volume", self.volume)
        check_fraction("failure_rate", self.failure_rate)
        check_seconds("pause", self.pause)
        check_seconds("max_pause", self.max_pause)
        check_at_most("pause", self.pause, "max_pause", self.max_pause)
        check_whole("probes", self.probes, 1)
        if self.slow_rate is not None:
            check_fraction("slow_rate", self.slow_rate)
        check_seconds("slow_after", self.slow_after)


@final
@dataclass(frozen=True, slots=True)
class RetryTerms:
    """Terms of the retries of a call, and of the budget that bounds the retries of all calls.

    A call makes at most *attempts* attempts; 1 means no retries. The backoff before the first retry is at
    most *backoff* seconds (above 0, at most *max_pause*). That maximum doubles with each further retry, up
    to *max_pause* seconds. The service's `Retry-After` is added to the backoff. If the sum exceeds
    *max_pause*, the call is not retried.

    The retry budget allows retries of a share of the recent calls (*budget_share*, a fraction from 0 to 1),
    and *budget_floor* further retries (at least 0), for services that are rarely called.

    Not configurable: the backoff has full jitter (uniform from zero), and the budget looks back 10 seconds.
    """

    attempts: int = 3
    backoff: float = 0.05
    max_pause: float = 10.0
    # The share and the 10 s are Finagle's defaults, but Finagle allows 10 more retries per second:
    # https://finagle.github.io/blog/2016/02/08/retry-budgets
    budget_share: float = 0.2
    budget_floor: int = 10

    def __post_init__(self) -> None:
        check_whole("attempts", self.attempts, 1)
        check_seconds("backoff", self.backoff)
        check_seconds("max_pause", self.max_pause)
        check_at_most("backoff", self.backoff, "max_pause", self.max_pause)
        check_between("budget_share", self.budget_share, 0, 1)
        check_whole("budget_floor", self.budget_floor, 0)

    @property
    def backoffs(self) -> tuple[float, ...]:
        """Return the maximum backoff before each retry, in seconds."""
        retries = repeat(self.backoff, self.attempts - 1)
        return tuple(accumulate(retries, lambda last, _: min(2 * last, self.max_pause)))


@final
@dataclass(frozen=True, slots=True)
class PolicyTerms:
    """Terms of all policies for one service.

    All calls share the concurrency limit. Each operation has a circuit breaker and a retry budget, and the
    host a circuit breaker, all on the same terms; optional calls have their own.
    """

    concurrency: ConcurrencyTerms
    breaker: BreakerTerms = field(default_factory=BreakerTerms)
    retries: RetryTerms = field(default_factory=RetryTerms)
