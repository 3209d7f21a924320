"""The tutorial, followed in an empty folder: every file, command and answer."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from tests.documents.pages import Block
from tests.system.tutorial import ANSWERED, BLOCKS, Answer, Reader, normalize

pytestmark = pytest.mark.needs("curl")

FILES: Final = {block.mark.removeprefix("file ") for block in BLOCKS if block.mark.startswith("file ")}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Reader(tmp_path_factory.mktemp("home")) as reader:
        yield reader


@pytest.fixture(scope="module")
def answers(reader: Reader) -> Mapping[Block, Answer | None]:
    """Follow the tutorial from its first to its last block; return the answers of its commands."""
    return {block: reader.follow(block) for block in BLOCKS}


@pytest.mark.parametrize(
    ("command", "shown"), [pytest.param(*pair, id=f"line {pair[0].line}") for pair in ANSWERED]
)
def test_command_gives_documented_answer(
    answers: Mapping[Block, Answer | None], command: Block, shown: str
) -> None:
    answer = answers[command]

    assert answer
    assert normalize(answer.out) == normalize(shown), answer.err


def test_every_command_of_tutorial_succeeds(answers: Mapping[Block, Answer | None]) -> None:
    failed = {block.text: answer for block, answer in answers.items() if answer and answer.code != 0}

    assert failed == {}


def test_tutorial_reaches_success_and_each_failure() -> None:
    shown = "".join(text for _, text in ANSWERED)

    statuses = re.findall(r'^HTTP/1.1 (\d+)|"status": (\d+)|^(\d{3})$', shown, re.MULTILINE)
    assert ["".join(found) for found in statuses] == ["200", "207", "201", "409", "503"]


def test_every_block_of_tutorial_is_used() -> None:
    """A block is a file, a command, or the answer of the command before it."""
    answered = {answer for _, answer in ANSWERED}
    unused = [
        block
        for block in BLOCKS
        if not (block.mark.startswith("file ") or block.language == "sh" or block.text in answered)
    ]

    assert unused == []
    assert {"loyalty_api.py", "loyalty.py", "rewards.py", "main.py", "test_rewards.py"} <= FILES


def test_installed_package_is_no_link_to_the_clone(
    answers: Mapping[Block, Answer | None], reader: Reader
) -> None:
    assert answers
    located = reader.run(".venv/bin/python -c 'import gateway, mock_services as m; print(gateway, m)'\n")

    assert located.out.count(f"{reader.folder}/.venv/lib") == 2


@pytest.mark.parametrize("checker", ["mypy .", "pyright"])
def test_checkers_reject_commit_without_conflict(
    answers: Mapping[Block, Answer | None], reader: Reader, checker: str
) -> None:
    assert answers
    path = reader.folder / "rewards.py"
    source = path.read_text()
    path.write_text(source.replace("NotFound | Conflict | ", "NotFound | "))
    rejected = reader.run(f".venv/bin/{checker}\n")
    path.write_text(source)

    assert rejected.code == 1
    for call in ("loyalty.redeem(", "inventory.reserve("):
        line = source[: source.index(call)].count("\n") + 1
        assert re.search(rf"rewards\.py:{line}:.*error: .*Conflict", rejected.out)
