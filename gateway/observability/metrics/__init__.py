"""Metrics in Prometheus' formats.

- `terms`: what a metric is, and its samples.
- `registry`: `MetricsRegistry` collects the samples of all sources, and writes them as text.
- `request_metrics`: metrics of requests and of calls, from the traces of requests.
- `worker_files`, `file_writer`: samples of the other workers of a gateway, through files.

`gateway.api.metrics` has the metrics of what is above this folder.
"""
