"""The mock services, one module per service."""
