"""Observability of requests: the trace of a request, and the waterfall drawn from it."""
