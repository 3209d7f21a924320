"""The garbage collector of a process that serves."""

import gc
from collections.abc import Iterator

import pytest

from gateway.server.gc_tuning import tune_gc


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_what_is_there_by_then_is_not_looked_at_again() -> None:
    there: list[str] = []
    tune_gc()
    later: list[str] = []

    looked_at = {id(one) for one in gc.get_objects()}
    assert (id(there) in looked_at, id(later) in looked_at) == (False, True)


def test_the_youngest_are_looked_at_less_often_and_the_others_as_before() -> None:
    youngest, *others = gc.get_threshold()
    tune_gc()

    now, *still = gc.get_threshold()
    assert now > youngest
    assert still == others
