"""Laws of the status and the Retry-After header of combined failures."""

import math

from hypothesis import given
from hypothesis import strategies as st

from gateway.api.problems.problem import build_headers, map_to_status
from gateway.railway import Failure, NotFound, RateLimited, Unavailable, combine_failures
from tests.railway.test_errors_laws import FAILURES, flatten

WAITS = st.none() | st.floats(0, 3600)
BUSY = st.builds(Unavailable, retry_after=WAITS) | st.builds(RateLimited, retry_after=WAITS)


@given(FAILURES)
def test_combined_status_is_207_or_highest_5xx(failures: list[Failure]) -> None:
    """A single failure keeps its own status."""
    result = combine_failures(failures)
    parts = [map_to_status(part) for part in flatten([result])]

    if len(parts) == 1 or max(parts) >= 500:
        assert map_to_status(result) == max(parts)
    else:
        assert map_to_status(result) == 207


@given(FAILURES.flatmap(lambda failures: st.tuples(st.just(failures), st.permutations(failures))))
def test_status_ignores_order_of_failures(
    failures: tuple[list[Failure], list[Failure]],
) -> None:
    original, permuted = failures

    assert map_to_status(combine_failures(original)) == map_to_status(combine_failures(permuted))


@given(st.lists(BUSY | st.builds(NotFound), min_size=1, max_size=5))
def test_retry_after_is_the_longest_wait(failures: list[Failure]) -> None:
    """The header is rounded up, and only sent with 429 and 503."""
    result = combine_failures(failures)
    waits = [failure.retry_after for failure in failures if isinstance(failure, Unavailable | RateLimited)]
    longest = max((wait for wait in waits if wait is not None), default=None)

    if map_to_status(result) in {429, 503} and longest is not None:
        assert build_headers(result) == {"Retry-After": f"{math.ceil(longest)}"}
    else:
        assert build_headers(result) == {}
