"""Gateways in front of services that were not designed for it."""
