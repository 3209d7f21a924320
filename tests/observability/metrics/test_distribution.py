"""Distributions, and the combination of the values of two workers."""

import pytest

from gateway.observability.metrics.terms import Distribution, Kind, combine

BUCKETS = (0.1, 1.0)


def build_distribution(*values: float) -> Distribution:
    distribution = Distribution(BUCKETS)
    for value in values:
        distribution.observe(value)
    return distribution


def test_values_are_counted_up_to_each_bound() -> None:
    distribution = build_distribution(0.1, 0.5, 1.0, 7.0)

    assert distribution.cumulative == (1, 3, 4)
    assert distribution.total == pytest.approx(8.6)


@pytest.mark.parametrize(("kind", "value"), [(Kind.COUNTER, 5), (Kind.GAUGE_SUM, 5), (Kind.GAUGE_MAX, 3)])
def test_numbers_are_combined_by_kind(kind: Kind, value: float) -> None:
    assert combine(kind, 3, 2) == value


def test_distributions_are_added() -> None:
    both = combine(Kind.HISTOGRAM, build_distribution(0.5), build_distribution(0.05, 2.0))

    assert both == build_distribution(0.05, 0.5, 2.0)


def test_number_and_distribution_are_not_combined() -> None:
    with pytest.raises(TypeError, match="a distribution and a number cannot be combined"):
        combine(Kind.HISTOGRAM, 1, build_distribution())
