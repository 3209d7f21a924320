"""A fan-out gateway: one request in, parallel service calls out, in stages, exact answers back."""
