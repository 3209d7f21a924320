"""The `gateway` command."""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Final

import uvloop
from pydantic import ValidationError
from rich.console import Console

from gateway.app import create_server
from gateway.demo.command import demo
from gateway.server import CannotListenError, Server, listening
from gateway.settings import PREFIX, SERVICES, Settings, unknown_variables
from gateway.showcase import MOCKS_PORT, MocksFailedError, mock_services, worked_checkout

__all__ = ("main",)

_log: Final = logging.getLogger("gateway")
_USAGE_ERROR: Final = 2
_LARGEST_PORT: Final = 65535
_DEMO: Final = """\
Play every way in which the requests of each pipeline can end, over real HTTP, and check each answer, the
calls that were made for it, and what the services remember afterwards, against what the contract says.

It starts mock services of its own, on free ports, and they end with it: those that run already keep their
state and faults. They are as slow as the contract says, so that times mean something. GATEWAY_* variables and
MOCK_LATENCY_SCALE change nothing. It takes about ten seconds.

Exit code: 0 if all came out as the contract says; 1 if something did not, which is then explained, or if
the mock services cannot be started.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; give its exit code: 0, 1 for a failure, 2 for wrong arguments or settings."""
    options = _parser().parse_args(arguments)
    code: int = options.command(options)
    return code


def _log_from(level: str) -> None:
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if level == "INFO":  # what starts, what stops, what clients offer and requests of our own are no news
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
        logging.getLogger("httpx").setLevel(logging.WARNING)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gateway", description="One request in, parallel service calls out, in stages."
    )
    parser.add_argument("--version", action="version", version=version("fanout-gateway"))
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _define_serve(
        commands.add_parser(
            "serve",
            help="serve the gateway",
            description="Serve the gateway until SIGINT or SIGTERM.",
            epilog="environment:\n" + _environment(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    shown = commands.add_parser(
        "demo",
        help="play every way in which a request can end, and check it",
        description=_DEMO,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shown.set_defaults(command=_demo)
    return parser


def _define_serve(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--host", help=f"address to listen on ({PREFIX}HOST)")
    serve.add_argument("--port", help=f"port to listen on, 0 for a free one ({PREFIX}PORT)")
    serve.add_argument("--waterfall", action="store_true", help=f"draw each request ({PREFIX}WATERFALL)")
    serve.add_argument(
        "--with-mocks",
        nargs="?",
        type=_mocks_port,
        const=MOCKS_PORT,
        metavar="PORT",
        help=f"run the mock services as well, from PORT on ({MOCKS_PORT}), and show one checkout",
    )
    levels = ("debug", "info", "warning", "error")
    serve.add_argument("--log-level", default="info", choices=levels, help="what is logged on stderr (info)")
    serve.set_defaults(command=_serve)


def _mocks_port(text: str) -> int:
    """Read the first of the ports of the mock services; the others follow, and have to exist."""
    if not text.isdecimal() or not 0 < int(text) <= _LARGEST_PORT + 1 - len(SERVICES):
        msg = f"no port from which mock services could follow: {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _environment() -> str:
    rows = [
        f"  {PREFIX + name.upper():31} {field.description or ''} [{_shown(field.default)}]"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(rows)


def _shown(default: object) -> str:
    return "unset" if default in {None, ()} else str(default)


def _settings(options: argparse.Namespace) -> Settings:
    given: Mapping[str, object] = {"host": options.host, "port": options.port, "waterfall": options.waterfall}
    return Settings.model_validate({name: value for name, value in given.items() if value})


def _complaints(error: ValidationError) -> Sequence[str]:
    return [
        f"{PREFIX}{'.'.join(map(str, one['loc'])).upper()}: {one['msg']} (it is {one['input']!r})"
        for one in error.errors()
    ]


def _serve(options: argparse.Namespace) -> int:
    _log_from(options.log_level.upper())
    try:
        settings = _settings(options)
    except ValidationError as error:
        for line in _complaints(error):
            print(f"gateway: {line}", file=sys.stderr)
        return _USAGE_ERROR
    return _served(settings, options.with_mocks)


def _served(settings: Settings, mocks_port: int | None) -> int:
    for variable, resembled in unknown_variables(os.environ):
        _log.warning("%s is no setting%s", variable, f"; {resembled} is" if resembled else "")
    try:
        bound = listening(settings.host, settings.port)
    except CannotListenError as error:
        print(
            f"gateway: {error}; --host and --port, or {PREFIX}HOST and {PREFIX}PORT, say where",
            file=sys.stderr,
        )
        return 1
    # Until the server listens to it, Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        if mocks_port is None:
            uvloop.run(_alone(create_server(settings, bound)))
        else:
            uvloop.run(_with_mocks(settings.on_this_machine(mocks_port), bound, mocks_port))
    except MocksFailedError:  # pragma: no cover - tested, but coverage has lost its place in uvloop
        print("gateway: the mock services did not start; --with-mocks PORT moves them", file=sys.stderr)
        return 1
    return 0


def _demo(_: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.ERROR)  # that services fail is no news here
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing has to be put in order first
    return asyncio.run(demo(Console(highlight=False, markup=False, emoji=False)))


async def _alone(server: Server) -> None:
    async with server.running():
        print(f"gateway: {server.url} (documentation: {server.url}/docs)", flush=True)


async def _with_mocks(settings: Settings, bound: socket.socket, port: int) -> None:
    server = create_server(settings, bound)
    async with mock_services(port) as said, server.running():
        print(said)
        print(await worked_checkout(server.url))
        print(f"documentation: {server.url}/docs (Ctrl-C ends it)", flush=True)
