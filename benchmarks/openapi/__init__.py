"""Linters and client generators, run on the OpenAPI document of the shipped gateway."""
