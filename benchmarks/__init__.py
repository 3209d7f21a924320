"""Benchmarks: figures that are compared within the same run."""
