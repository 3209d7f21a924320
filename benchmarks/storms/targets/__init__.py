"""The two servers under test, as programs."""
