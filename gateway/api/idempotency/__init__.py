"""Idempotency keys, and the responses that are stored for them."""
