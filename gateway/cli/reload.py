"""`--reload`: run a command again whenever a Python file changes."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, final

from gateway.cli.messages import print_to_stderr

__all__ = ("find_changes", "list_python_files", "run_with_reload")

_INTERVAL: Final = 0.3
_SIGNALLED: Final = 128
"""Added to the number of the signal that ended a process, for the exit code, as shells do."""
_FORWARDED: Final = (signal.SIGINT, signal.SIGTERM)


def run_with_reload(command: Sequence[str], folder: Path) -> int:
    """Run *command*, and run it again whenever a Python file in *folder* changes.

    Return its exit code once SIGINT or SIGTERM, which are passed on to it, has ended it. If it ends by
    itself, for instance because of an error in a file, wait for the next change.
    """
    return _Reloader(command, folder).run()


def list_python_files(folder: Path) -> Mapping[Path, int]:
    """Return the time of the last change of each Python file in *folder*.

    Hidden folders, caches and virtual environments are skipped.
    """
    return dict(_walk(folder))


def find_changes(before: Mapping[Path, int], after: Mapping[Path, int]) -> list[Path]:
    """Return the files that were added, changed or removed, in order."""
    return sorted({path for path, _ in before.items() ^ after.items()})


def _walk(folder: Path) -> Iterator[tuple[Path, int]]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if _is_watched(Path(parent, name))]
        for path in (Path(parent, name) for name in files if name.endswith(".py")):
            try:
                yield path, path.stat().st_mtime_ns
            except FileNotFoundError:  # pragma: no cover - an editor has just replaced it
                continue


def _is_watched(folder: Path) -> bool:
    return not (folder.name.startswith((".", "__pycache__")) or (folder / "pyvenv.cfg").exists())


@final
class _Reloader:
    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = command
        self._folder = folder
        self._files = list_python_files(folder)
        self._signals: list[int] = []
        self._is_stopping = False
        self._is_end_reported = False
        self._process = self._start()

    def run(self) -> int:
        for number in _FORWARDED:
            signal.signal(number, lambda received, _: self._signals.append(received))
        while not self._has_stopped():
            if changed := self._find_changes():
                print_to_stderr([f"{changed[0].relative_to(self._folder)} changed; restarting"])
                self._stop()
                self._process = self._start()
        code = self._process.wait()
        return code if code >= 0 else _SIGNALLED - code

    def _start(self) -> subprocess.Popen[bytes]:
        self._is_end_reported = False
        # In a process group of its own, so that Ctrl-C reaches it once: a second one would cut off requests.
        return subprocess.Popen(self._command, process_group=0)  # noqa: S603 - our own program, without a shell

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # without a drain
        self._process.wait()

    def _has_stopped(self) -> bool:
        """Wait a moment and pass on signals; return whether a signal has ended the command."""
        time.sleep(_INTERVAL)
        while self._signals:
            self._is_stopping = True
            self._process.send_signal(self._signals.pop(0))  # nothing is sent to a process that has ended
        code = self._process.poll()
        if code is not None and not self._is_stopping and not self._is_end_reported:
            self._is_end_reported = True
            print_to_stderr([f"it ended with code {code}, and starts again when a file changes"])
        return code is not None and self._is_stopping

    def _find_changes(self) -> list[Path]:
        before, self._files = self._files, list_python_files(self._folder)
        return [] if self._is_stopping else find_changes(before, self._files)
