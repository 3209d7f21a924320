"""The storms, each in its own module."""
