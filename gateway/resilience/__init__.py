"""Outbound policies: deadline, retries with a budget, circuit breaker, concurrency limit."""
