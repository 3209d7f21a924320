"""Order of the system tests, of which several modules run at the same time (`scripts/test`)."""

from pathlib import Path
from typing import Final

import pytest

FOLDER: Final = Path(__file__).parent

LONGEST_FIRST: Final = (
    "test_crashes_live",
    "test_ledger_live",
    "test_workers_live",
    "test_tutorial",
    "test_gateway_demo",
    "test_gateway_program",
    "test_patterns",
    "test_serve_app",
    "test_graceful_shutdown",
    "test_gateway_explain",
)
"""Modules that begin first, so that no process is left with a long one at the end."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first, and mark the hostile tests, which measure delays and CPU."""
    for item in items:
        if item.path.is_relative_to(FOLDER / "hostile"):
            item.add_marker("alone")
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    name = item.path.stem
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)
