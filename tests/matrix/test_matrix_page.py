"""The page that shows the matrix."""

from tests.matrix.failures_page import PAGE, render_page


def test_page_shows_the_current_matrix() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_page(), "run .venv/bin/python -m tests.matrix"
