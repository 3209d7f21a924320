"""Metrics as a Prometheus server reads them."""

from prometheus_client.parser import text_string_to_metric_families

__all__ = ("Metrics",)


class Metrics:
    """Samples of a *text* in Prometheus' format."""

    def __init__(self, text: str) -> None:
        self._samples = [
            (sample.name, dict(sample.labels), sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of the samples with this *name* and these *labels*; fail if there are none."""
        values = [
            value
            for sample, found, value in self._samples
            if sample == name and labels.items() <= found.items()
        ]
        assert values, f"no {name} with {labels}"
        return sum(values)

    def find_labels(self, name: str, label: str) -> set[str]:
        """Return the values of *label* in the samples with this *name*."""
        return {found[label] for sample, found, _ in self._samples if sample == name}
