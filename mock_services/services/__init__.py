"""The mock services, each in its own module."""
