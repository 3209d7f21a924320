"""The `gateway` command: builds the argument parser and runs the chosen command."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from gateway.cli import serve
from gateway.cli.demo import command as demo
from gateway.cli.executions import command as executions
from gateway.cli.explain import command as explain

__all__ = ("main",)

_COMMANDS: Final[Sequence[tuple[str, str, Callable[[argparse.ArgumentParser], None]]]] = (
    ("serve", "serve the gateway", serve.configure),
    ("demo", "run every documented outcome against mock services and check it", demo.configure),
    ("explain", "show the stages of a pipeline, its writes and its critical path", explain.configure),
    ("executions", "list the executions of a running gateway, and retry stuck undos", executions.configure),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that *arguments* name (default: the command line), and return the exit code.

    The code is 0 for success, 1 for a failure, and 2 for invalid settings or names. If argparse refuses the
    arguments, argparse itself exits the process, also with 2. If nothing reads the output any more, as in
    `gateway demo | head`, the code is 1, without a message.
    """
    options = _build_parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # pragma: no cover - tested with a process, whose coverage ends with its output
        # Python would write the rest of the output when it exits, and show a traceback.
        # https://docs.python.org/3/library/signal.html#note-on-sigpipe
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        return 1
    return code


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gateway",
        description="A fan-out gateway: one request in, parallel service calls out, in stages.",
    )
    parser.add_argument("--version", action="version", version=version("fanout-gateway"))
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, summary, configure in _COMMANDS:
        configure(
            commands.add_parser(
                name,
                help=summary,
                formatter_class=argparse.RawDescriptionHelpFormatter,
                conflict_handler="resolve",  # a command can have its own --help
            )
        )
    return parser
