"""Failures page: docs/failures.md and its generator."""

from tests.matrix.failures_page import PAGE, render_page


def test_failures_page_shows_current_matrix() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_page(), (
        "docs/failures.md is out of date; run .venv/bin/python -m tests.matrix"
    )
