"""Benchmarks: figures that are compared within one run."""
