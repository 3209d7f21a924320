"""Idempotency keys, and requests for pipelines that write."""
