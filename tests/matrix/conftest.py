"""A quiet log for the matrix."""

import logging

import pytest


@pytest.fixture(autouse=True)
def _quiet_log(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the log of thousands of failures out of the report."""
    caplog.set_level(logging.CRITICAL)
