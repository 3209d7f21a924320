"""The page that shows the matrix."""

from tests.matrix.failures_page import PAGE, current


def test_the_page_shows_the_matrix_as_it_is() -> None:
    assert PAGE.read_text(encoding="utf-8") == current(), "make it anew: .venv/bin/python -m tests.matrix"
