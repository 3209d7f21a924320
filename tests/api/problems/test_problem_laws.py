"""The status of what went wrong, and when to come back, for whatever goes wrong at once."""

import math

from hypothesis import given
from hypothesis import strategies as st

from gateway.api.problems.problem import build_headers, map_to_status
from gateway.railway import Failure, NotFound, RateLimited, Unavailable, combine_failures
from tests.railway.test_errors_laws import SEVERAL, flat

WAITS = st.none() | st.floats(0, 3600)
BUSY = st.builds(Unavailable, retry_after=WAITS) | st.builds(RateLimited, retry_after=WAITS)


@given(SEVERAL)
def test_several_client_errors_are_207_and_anything_worse_is_the_worst_of_it(failures: list[Failure]) -> None:
    result = combine_failures(failures)
    parts = [map_to_status(part) for part in flat([result])]

    if len(parts) == 1 or max(parts) >= 500:
        assert map_to_status(result) == max(parts)
    else:
        assert map_to_status(result) == 207


@given(SEVERAL.flatmap(lambda failures: st.tuples(st.just(failures), st.permutations(failures))))
def test_the_status_is_the_same_in_whatever_order_it_went_wrong(
    failures: tuple[list[Failure], list[Failure]],
) -> None:
    one, other = failures

    assert map_to_status(combine_failures(one)) == map_to_status(combine_failures(other))


@given(st.lists(BUSY | st.builds(NotFound), min_size=1, max_size=5))
def test_who_is_told_to_come_back_is_told_to_wait_for_all_who_said_so(failures: list[Failure]) -> None:
    result = combine_failures(failures)
    waits = [one.retry_after for one in failures if isinstance(one, Unavailable | RateLimited)]
    longest = max((wait for wait in waits if wait is not None), default=None)

    if map_to_status(result) in {429, 503} and longest is not None:
        assert build_headers(result) == {"Retry-After": f"{math.ceil(longest)}"}
    else:
        assert build_headers(result) == {}
