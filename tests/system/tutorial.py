"""The tutorial as a reader follows it: its files, commands and programs, in an empty folder."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from tests.documents.pages import ROOT, TUTORIAL, Block, list_blocks
from tests.system.programs import free_ports, until

__all__ = ("ANSWERED", "BLOCKS", "Answer", "Reader", "normalize")

_PORTS: Final = (8000, 8201, *range(8101, 8113))
"""Ports of the gateway, of the loyalty API and of the mock services."""
_PATIENCE_SECONDS: Final = 240
_SETTINGS: Final = ("GATEWAY_", "MOCK_", "COVERAGE_", "COV_", "PYTHON")

_VOLATILE: Final = (
    (r"(?m)^date: .*$", "date: DATE"),
    (r"\b(exe-|res-)?[0-9a-f]{24,32}\b", r"\1ID"),
    (r";dur=\d+\.\d+", ";dur=TIME"),
    (r"\bin \d+\.\d+s\b", "in TIME"),
    (r"(?m)[ \r]+$", ""),
)

BLOCKS: Final = tuple(list_blocks(TUTORIAL))
ANSWERED: Final[Sequence[tuple[Block, str]]] = tuple(
    (command, answer.text)
    for command, answer in pairwise(BLOCKS)
    if command.language == "sh" and answer.language == "text"
)
"""Each command whose answer is shown, with the answer."""


def normalize(output: str) -> str:
    """Replace what differs from run to run: dates, ids and times."""
    for pattern, replacement in _VOLATILE:
        output = re.sub(pattern, replacement, output)
    return output.strip()


def build_environment(home: Path) -> Mapping[str, str]:
    """Return the environment of a reader, without settings of these tests; `pip` installs pinned versions."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    return {
        **kept,
        "HOME": f"{home}",
        "COLUMNS": "80",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PIP_CONSTRAINT": f"{ROOT / 'constraints.txt'}",
    }


class Answer(NamedTuple):
    """Output and exit code of a command."""

    out: str
    err: str
    code: int


class Reader:
    """A reader of the tutorial, with a *home*, a clone in it, and ports of its own.

    The end of the `with` block stops the programs that the reader has started.
    """

    def __init__(self, home: Path) -> None:
        (home / "fanout-gateway").symlink_to(ROOT)
        self.folder = home
        self._environment = build_environment(home)
        self._logs = home
        first = free_ports(len(_PORTS))
        self._ports = {f"{port}": f"{first + n}" for n, port in enumerate(_PORTS)}
        self._programs: dict[str, _Program] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self._programs.values():
            program.stop()

    def follow(self, block: Block) -> Answer | None:
        """Do what *block* shows; return the answer of a command."""
        match block.mark.split():
            case ["file", name]:
                self.write_file(name, block.text)
            case ["start"]:
                self._start(block.text)
            case ["stop", name]:
                self._programs.pop(name).stop()
            case _:
                pass
        is_command = block.language == "sh" and block.mark != "start"
        return self.run(block.text) if is_command else None

    def write_file(self, name: str, text: str) -> None:
        """Write a file; if a running gateway follows its changes, wait until it has started again."""
        (self.folder / name).write_text(self._localize(text))
        if name.endswith(".py") and "gateway" in self._programs:
            self._programs["gateway"].wait_until_ready()

    def run(self, command: str) -> Answer:
        """Run *command* in the current folder, and change to the folder in which it ends."""
        script = f'{self._localize(command)}code=$?; pwd >"$HOME/folder"; exit $code'
        ended = subprocess.run(  # noqa: S603 - a command of our own page
            ["sh", "-c", script],  # noqa: S607
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_SECONDS,
        )
        self.folder = Path(Path(self._environment["HOME"], "folder").read_text().strip())
        return Answer(ended.stdout, ended.stderr, ended.returncode)

    def _start(self, command: str) -> None:
        program, *arguments = self._localize(command).split()
        name = Path(program).name
        if name == "gateway":
            place = arguments.index("--with-mocks")
            arguments[place:] = ["--with-mocks", self._ports["8101"], "--port", self._ports["8000"]]
        log = self._logs / f"{name}.log"
        self._programs[name] = _Program([program, *arguments], self.folder, self._environment, log)
        self._programs[name].wait_until_ready()

    def _localize(self, text: str) -> str:
        return re.sub(r"\b8[012]\d\d\b", lambda port: self._ports[port[0]], text)


class _Program:
    """A program that keeps running, and says in *log* when it is ready, again after each start."""

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path
    ) -> None:
        self._log = log
        self._starts = 0
        with log.open("w") as output:
            self._process = subprocess.Popen(  # noqa: S603 - a command of our own page
                [folder / command[0], *command[1:]],
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self) -> None:
        """Wait for one more start; raise `RuntimeError` with the log if the program ends instead."""
        self._starts += 1
        until(lambda: self._count_starts() == self._starts or self._process.poll() is not None)
        if self._process.poll() is not None:
            raise RuntimeError(self._log.read_text())

    def stop(self) -> None:
        """Stop the program as Ctrl-C does, and wait until it has ended."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(_PATIENCE_SECONDS)

    def _count_starts(self) -> int:
        return len(re.findall(r"documentation: |Uvicorn running on ", self._log.read_text()))
