"""Garbage collector tuning of the server process."""

import gc
from collections.abc import Iterator

import pytest

from gateway.server.gc_tuning import tune_gc


@pytest.fixture(autouse=True)
def _restore_gc() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_tune_gc_exempts_existing_objects() -> None:
    earlier: list[str] = []
    tune_gc()
    later: list[str] = []

    tracked = {id(thing) for thing in gc.get_objects()}
    assert (id(earlier) in tracked, id(later) in tracked) == (False, True)


def test_tune_gc_raises_only_young_threshold() -> None:
    young, *older = gc.get_threshold()
    tune_gc()

    tuned_young, *tuned_older = gc.get_threshold()
    assert tuned_young > young
    assert tuned_older == older
