"""Pages of documentation that are written by hand, and their code blocks."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ("PAGES", "ROOT", "TUTORIAL", "Block", "list_blocks", "list_commands")

ROOT: Final = Path(__file__).parents[2]
TUTORIAL: Final = "docs/your-own-pipeline.md"

_GENERATED: Final = {"failures.md", "performance.md", "storms.md"}
_BLOCK: Final = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]+) -->\n)?(?P<indent> *)```(?P<language>\S*)\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)

PAGES: Final[Mapping[str, str]] = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")))
    if path.name not in _GENERATED
}
"""Text of each page, by its path."""


class Block(NamedTuple):
    """A code block of a page, with the number of its first line, and the comment before it.

    The comment is one of `file NAME`, `start` (a program that keeps running) and `stop NAME`.
    """

    language: str
    text: str
    line: int
    mark: str = ""


def list_blocks(page: str) -> Iterator[Block]:
    """Yield the code blocks of *page* in order."""
    text = PAGES[page]
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("text")) + 1
        yield Block(match["language"], match["text"], line, match["mark"] or "")


def list_commands(page: str) -> Iterator[str]:
    """Yield the shell commands of *page*, a block at a time."""
    return (block.text for block in list_blocks(page) if block.language == "sh")
