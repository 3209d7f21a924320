"""Registry of metrics: one text for the metrics of one process, or of all workers."""

from collections.abc import Iterator
from pathlib import Path

from gateway.observability.metrics.registry import MetricsRegistry
from gateway.observability.metrics.terms import Distribution, Kind, Metric, Sample
from tests.exposition import Metrics

ORDERS = Metric("shop_orders_total", "Orders", Kind.COUNTER, ("shop",))
OPEN = Metric("shop_open", "Shops that are open", Kind.GAUGE_SUM)
SECONDS = Metric("shop_seconds", "Time of a visit", Kind.HISTOGRAM, buckets=(0.1, 1.0))


class Shop:
    """Source of samples, with a clock that stands still."""

    def __init__(self, orders: int = 1) -> None:
        self.orders = orders
        self.visits = Distribution(SECONDS.buckets)
        self.now = 0.0

    def sample(self) -> Iterator[Sample]:
        yield ORDERS, ("main",), self.orders
        yield OPEN, (), 1
        yield SECONDS, (), self.visits

    def build_registry(self) -> MetricsRegistry:
        return MetricsRegistry(self.sample, clock=lambda: self.now)


def render(registry: MetricsRegistry) -> Metrics:
    return Metrics(registry.render()[0].decode())


def test_text_has_help_type_and_values() -> None:
    shop = Shop()
    shop.visits.observe(0.5)
    text = shop.build_registry().render()[0].decode()

    assert "# HELP shop_orders_total Orders\n# TYPE shop_orders_total counter\n" in text
    assert 'shop_orders_total{shop="main"} 1.0\n' in text
    assert 'shop_seconds_bucket{le="0.1"} 0.0\nshop_seconds_bucket{le="1.0"} 1.0\n' in text
    assert 'shop_seconds_bucket{le="+Inf"} 1.0\nshop_seconds_count 1.0\nshop_seconds_sum 0.5\n' in text


def test_text_is_kept_for_200_ms_only() -> None:
    shop = Shop()
    registry = shop.build_registry()
    first = registry.render()[0]

    shop.orders, shop.now = 2, 0.19
    assert registry.render()[0] == first
    shop.now = 0.2
    assert render(registry).sum("shop_orders_total") == 2


def test_samples_with_the_same_labels_are_added() -> None:
    registry = MetricsRegistry(Shop(1).sample, Shop(2).sample)

    assert render(registry).sum("shop_orders_total") == 3


def test_workers_have_one_text(tmp_path: Path) -> None:
    shops = [Shop(1), Shop(2)]
    registries = [shop.build_registry() for shop in shops]
    for registry in registries:
        registry.share(tmp_path)
        registry.write_file()

    metrics = render(registries[0])
    assert (metrics.sum("shop_orders_total"), metrics.sum("shop_open")) == (3, 2)
    assert metrics.find_labels("process_open_fds", "pid") == set()


def test_worker_without_samples_has_those_of_others(tmp_path: Path) -> None:
    idle, busy = MetricsRegistry(), Shop(2).build_registry()
    for registry in (idle, busy):
        registry.share(tmp_path)
    busy.write_file()

    assert render(idle).sum("shop_orders_total", shop="main") == 2


def test_single_process_writes_no_file(tmp_path: Path) -> None:
    registry = Shop().build_registry()
    registry.write_file()

    assert (registry.is_shared, [*tmp_path.iterdir()]) == (False, [])
