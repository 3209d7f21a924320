"""Wording of docstrings, comments, messages, names and documents.

The rules are few and mechanical: words and openings that make technical text hard to skim or to search. Each
comes with its replacement, which a failing test prints.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import count, takewhile
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple, TypeAlias

import pytest

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = ("gateway", "mock_services", "load")
SOURCES: Final = (*PACKAGES, "benchmarks", "tests", "locustfile.py")
DOCUMENTS: Final = ("*.md", "docs/*.md", "*.toml", "*.yml", "Dockerfile", "scripts/*", ".ci/*")

Definition: TypeAlias = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

REFUSED_WORDS: Final[Mapping[str, str]] = {
    "nobody": "name the caller, the service or the operator that does not",
    "somebody": "name the caller, the service or the operator",
    "anybody": "name the caller, the service or the operator",
    "everybody": "all callers, all clients",
    "whoever": "a client that, the caller that",
    "anew": "again",
    "lest": "so that ... not",
    "for want of": "without",
    "befall": "happen to",
    "befalls": "happens to",
    "of late": "recently",
    "whence": "from which",
    "amid": "during",
}
"""Words that no text may contain, with their replacements."""

REFUSED_OPENINGS: Final[Mapping[str, str]] = {
    "Give": "Return",
    "Gives": "Return",
    "Hear": "Record, Observe",
    "Hears": "Record, Observe",
    "How": "a noun: 'Outcome of a call'",
    "Say": "Log, Report, Return",
    "Says": "Return",
    "Tell": "Report, Return",
    "Tells": "Return",
    "What": "a noun: 'Terms of a circuit breaker', not 'What a circuit breaker needs'",
    "Who": "a noun: 'Caller of the request'",
    "Whose": "a noun: 'Owner of the key'",
    "Whether": "True if",
}
"""First words that no docstring may have, with their replacements."""

# fmt: off
CONTINUATIONS: Final = {
    "and", "but", "it", "its", "nor", "or", "so", "that", "then",
    "these", "they", "this", "those", "what", "whatever", "which", "who",
}
# fmt: on
"""First words of a name that only makes sense after the test above."""

LONGEST_TEST_NAME: Final = 60
MEDIAN_TEST_NAME: Final = 40
LEAST_DOCUMENTED: Final = 0.95


class Text(NamedTuple):
    """A piece of text and its position, such as `gateway/app.py:12`."""

    position: str
    text: str


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def list_modules(*packages: str) -> list[Path]:
    """Return the modules of *packages*; a package may also be a single module."""
    paths = [path for package in packages for path in (ROOT / package, *(ROOT / package).rglob("*.py"))]
    return sorted(path for path in paths if path.suffix == ".py")


def list_definitions(path: Path) -> Iterator[Definition]:
    for node in ast.walk(parse(path)):
        if isinstance(node, Definition):
            yield node


def list_public_definitions(path: Path) -> Iterator[Definition]:
    """Yield the public classes, functions and methods, without overloads and overriding methods."""
    scopes: list[ast.Module | ast.ClassDef] = [parse(path)]
    while scopes:
        for node in scopes.pop().body:
            if isinstance(node, Definition) and not node.name.startswith("_"):
                if not {"overload", "override"} & {ast.unparse(item) for item in node.decorator_list}:
                    yield node
                if isinstance(node, ast.ClassDef):
                    scopes.append(node)


def list_docstrings(path: Path) -> Iterator[Text]:
    """Yield the docstrings of a module, its classes, functions and attributes."""
    for node in ast.walk(parse(path)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield Text(f"{path.relative_to(ROOT)}:{node.lineno}", text)
            case _:
                pass


def list_strings(path: Path) -> Iterator[Text]:
    """Yield all string literals of a module: docstrings, messages and descriptions among them."""
    for node in ast.walk(parse(path)):
        match node:
            case ast.Constant(value=str(text)):
                yield Text(f"{path.relative_to(ROOT)}:{node.lineno}", text)
            case _:
                pass


def list_comments(path: Path) -> Iterator[Text]:
    """Yield the comments of a module; consecutive lines are one comment."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    lines = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    for first in lines:
        if first - 1 not in lines:
            block = [lines[line] for line in takewhile(lines.__contains__, count(first))]
            yield Text(f"{path.relative_to(ROOT)}:{first}", "\n".join(block))


def list_names(path: Path) -> Iterator[Text]:
    for node in list_definitions(path):
        yield Text(f"{path.relative_to(ROOT)}:{node.lineno}", node.name.replace("_", " "))


def list_test_names() -> Iterator[Text]:
    for path in list_modules("tests"):
        for node in list_definitions(path):
            if node.name.startswith("test_"):
                yield Text(f"{path.relative_to(ROOT)}:{node.lineno}", node.name)


def find_refused_words(text: Text) -> Iterator[str]:
    for word, replacement in REFUSED_WORDS.items():
        pattern = r"\s+".join(word.split())
        if re.search(rf"\b{pattern}\b", text.text, re.IGNORECASE):
            yield f"{text.position}: instead of {word!r} write {replacement!r}"


@pytest.mark.parametrize("package", SOURCES)
def test_code_has_no_refused_words(package: str) -> None:
    found = [
        refusal
        for path in list_modules(package)
        if path != Path(__file__)
        for list_texts in (list_strings, list_comments, list_names)
        for text in list_texts(path)
        for refusal in find_refused_words(text)
    ]

    assert not found, "\n".join(found)


def test_documents_have_no_refused_words() -> None:
    paths = [path for pattern in DOCUMENTS for path in sorted(ROOT.glob(pattern))]
    texts = [Text(str(path.relative_to(ROOT)), path.read_text()) for path in paths]
    found = [refusal for text in texts for refusal in find_refused_words(text)]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("package", SOURCES)
def test_docstrings_have_no_refused_openings(package: str) -> None:
    found = [
        f"{text.position}: instead of {first!r} write {REFUSED_OPENINGS[first]!r}"
        for path in list_modules(package)
        for text in list_docstrings(path)
        if (first := re.split(r"\W", text.text.strip(), maxsplit=1)[0]) in REFUSED_OPENINGS
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("package", PACKAGES)
def test_public_definitions_have_docstrings(package: str) -> None:
    public = [
        (ast.get_docstring(node), f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}")
        for path in list_modules(package)
        for node in list_public_definitions(path)
    ]
    undocumented = [position for docstring, position in public if docstring is None]

    assert len(undocumented) <= (1 - LEAST_DOCUMENTED) * len(public), "\n".join(undocumented)


def test_test_names_are_short() -> None:
    names = list(list_test_names())
    too_long = [f"{name.position}: {name.text}" for name in names if len(name.text) > LONGEST_TEST_NAME]

    assert not too_long, "\n".join(too_long)
    assert median(len(name.text) for name in names) <= MEDIAN_TEST_NAME


def test_test_names_stand_alone() -> None:
    found = [
        f"{name.position}: {name.text}"
        for name in list_test_names()
        if name.text.split("_")[1] in CONTINUATIONS
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("word", REFUSED_WORDS)
def test_refused_words_are_found_with_their_replacement(word: str) -> None:
    (refusal,) = find_refused_words(Text("a.py:1", f"Whatever happens, {word.upper()} it is."))

    assert refusal == f"a.py:1: instead of {word!r} write {REFUSED_WORDS[word]!r}"


def test_refused_phrase_is_found_across_lines() -> None:
    (refusal,) = find_refused_words(Text("a.py:1", "No answer for\nwant of time."))

    assert "'for want of'" in refusal


def test_words_that_contain_a_refused_word_are_allowed() -> None:
    assert list(find_refused_words(Text("a.py:1", "the latest amidships"))) == []
