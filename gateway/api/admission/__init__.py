"""Load shedding and rate limiting of incoming requests."""
