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
from fastapi import FastAPI
from pydantic import ValidationError
from rich.console import Console

from gateway.app import create_app, create_server
from gateway.cli.app_loader import AppNotFoundError, load_app
from gateway.cli.demo.command import demo
from gateway.cli.dev_stack import MOCKS_PORT, MocksFailedError, mock_services, worked_checkout
from gateway.cli.explain.command import explain
from gateway.cli.explain.options import NoSuchThingError, Options, latency, milliseconds
from gateway.server.gc_tuning import tune_gc
from gateway.server.server import ListenError, Server, listening
from gateway.settings import PREFIX, SECRETS, SERVICES, Settings, unknown_variables

__all__ = ("main",)

_log: Final = logging.getLogger("gateway")
_USAGE_ERROR: Final = 2
_LARGEST_PORT: Final = 65535
_DEMO: Final = """\
Play the ways in which the contract says that requests to each pipeline end, and check each answer, the calls
that were made for it, and what the services remember afterwards. Every refusal that a service declares and
every undo is among them.

The gateway runs in this process, and asks its services over HTTP. These are mock services of its own, on
free ports, and they end with it: those that run already keep their state and faults. They are as
slow as the contract says, so that times mean something. GATEWAY_* variables and MOCK_LATENCY_SCALE change
nothing. It takes about fifteen seconds.

Exit code: 0 if all came out as the contract says; 1 if something did not, which is then explained, or if
the mock services cannot be started.
"""
_EXPLAIN: Final = """\
Say what a pipeline does, stage by stage, as a run on examples shows it: its calls in the order in which it
names them, which of them write and how that is undone, which it can do without, and how it can answer.

With times it says what is on the critical path, which is the longest call of each stage, and the slack of
every call: how much later it could end without delaying the answer. Times are given, or measured by running
the pipeline on its example: with --measure, or unbidden where mock services run and nothing is given. Writes
are not made to measure, unless --with-writes says so: their examples stand in for them.

Exit code: 0; 1 if the pipeline could not be measured; 2 for wrong arguments or settings.
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
            description="Serve the gateway, or your own app, until SIGINT, or SIGTERM and then the drain.",
            epilog="environment:\n" + _environment(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    _define_demo(
        commands.add_parser(
            "demo",
            help="play the ways in which requests end, and check them",
            description=_DEMO,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    _define_explain(
        commands.add_parser(
            "explain",
            help="say what a pipeline does, and what takes so long",
            description=_EXPLAIN,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    return parser


def _define_serve(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--host", help=f"address to listen on ({PREFIX}HOST)")
    serve.add_argument("--port", help=f"port to listen on, 0 for a free one ({PREFIX}PORT)")
    serve.add_argument(
        "--app", metavar="MODULE:NAME", help="an app of your own, which create_app has made (main:app)"
    )
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


def _define_demo(played: argparse.ArgumentParser) -> None:
    played.set_defaults(command=_demo)


def _define_explain(explained: argparse.ArgumentParser) -> None:
    explained.add_argument("name", nargs="?", metavar="NAME", help="the pipeline; without, all are listed")
    explained.add_argument(
        "--latency",
        type=latency,
        action="append",
        default=[],
        metavar="CALL=MS",
        help="milliseconds that a call takes, as users.fetch=50; may be repeated",
    )
    explained.add_argument(
        "--latency-default", type=milliseconds, metavar="MS", help="and of every call not known otherwise"
    )
    explained.add_argument(
        "--measure", action="store_true", help="measure calls on the services that are set"
    )
    explained.add_argument(
        "--with-writes", action="store_true", help="the same, and make writes: what they change stays changed"
    )
    explained.add_argument(
        "--runs", type=_runs, default=5, metavar="N", help="runs to measure (default: %(default)s)"
    )
    explained.add_argument("--json", action="store_true", help="print data")
    explained.add_argument(
        "--app", metavar="MODULE:NAME", help="an app of your own, which describes its pipelines (main:app)"
    )
    explained.set_defaults(command=_explain)


def _runs(text: str) -> int:
    if not text.isdecimal() or not int(text):
        msg = f"no number of runs: {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


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
    return [_complaint(".".join(map(str, one["loc"])), one["msg"], one["input"]) for one in error.errors()]


def _complaint(name: str, message: str, given: object) -> str:
    is_secret = name in SECRETS or "@" in str(given)  # a URL may have a password in it
    shown = "" if is_secret else f" (it is {given!r})"
    return f"{PREFIX}{name.upper()}: {message}{shown}"


def _serve(options: argparse.Namespace) -> int:
    _log_from(options.log_level.upper())
    if in_vain := _in_vain(options):
        return _complain(in_vain)
    # Until the server listens to it, Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        settings = _settings(options)
    except ValidationError as error:
        return _complain(_complaints(error))
    try:
        app = None if options.app is None else load_app(options.app)
    except AppNotFoundError as error:
        return _complain([str(error)])
    return _served(settings, options.with_mocks, app)


def _in_vain(options: argparse.Namespace) -> Sequence[str]:
    """Say which options an app that has settings of its own would not hear of, and what to do instead."""
    instead = {
        "--with-mocks": options.with_mocks and "run python -m mock_services all beside it",
        "--waterfall": options.waterfall and f"set {PREFIX}WATERFALL, for its settings to read",
    }
    return [
        f"{option} is not for an --app: {what}" for option, what in instead.items() if options.app and what
    ]


def _strangers() -> Sequence[str]:
    return [
        f"{variable} is no setting" + (f"; {resembled} is" if resembled else "")
        for variable, resembled in unknown_variables(os.environ)
    ]


def _warn(settings: Settings) -> None:
    slow = [service for service in SERVICES if settings.timeout_of(service) * 1000 >= settings.deadline_ms]
    if slow:
        _log.warning(
            "%s: if it hangs it is never left alone, since its timeout is not below GATEWAY_DEADLINE_MS",
            ", ".join(slow),
        )
    if settings.commit_reserve_ms >= settings.deadline_ms:
        _log.warning("nothing can be written: GATEWAY_COMMIT_RESERVE_MS is not below GATEWAY_DEADLINE_MS")


def _served(settings: Settings, mocks_port: int | None, app: FastAPI | None) -> int:
    for line in _strangers():
        _log.warning("%s", line)
    if app is None:  # one of somebody's own was made with settings of its own
        _warn(settings)
    try:
        bound = listening(settings.host, settings.port)
    except ListenError as error:
        print(
            f"gateway: {error}; --host and --port, or {PREFIX}HOST and {PREFIX}PORT, say where",
            file=sys.stderr,
        )
        return 1
    try:
        if mocks_port is None:
            uvloop.run(_alone(create_server(settings, bound, app)))
        else:
            uvloop.run(_with_mocks(settings.on_this_machine(mocks_port), bound, mocks_port))
    except MocksFailedError:  # pragma: no cover - tested, but coverage has lost its place in uvloop
        print("gateway: the mock services did not start; --with-mocks PORT moves them", file=sys.stderr)
        return 1
    return 0


def _explain(options: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.ERROR)  # a service that fails is told of once
    _say(_strangers())
    asked = Options(
        name=options.name,
        latencies=dict(options.latency),
        default=options.latency_default,
        is_measured=options.measure or options.with_writes,
        writes=options.with_writes,
        runs=options.runs,
        as_json=options.json,
    )
    try:
        settings = Settings()
    except ValidationError as error:
        return _complain(_complaints(error))
    try:
        app = create_app(settings) if options.app is None else load_app(options.app)
        mocks = tuple(settings.urls.values()) if options.app is None else ()
        return asyncio.run(explain(_console(), asked, app, mocks))
    except (AppNotFoundError, NoSuchThingError) as error:
        return _complain([str(error)])


def _complain(complaints: Sequence[str]) -> int:
    _say(complaints)
    return _USAGE_ERROR


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        print(f"gateway: {line}", file=sys.stderr)


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False)


def _demo(_: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.ERROR)  # that services fail is no news here
    logging.getLogger("gateway.railway").setLevel(logging.CRITICAL)  # nor what gets stuck on purpose
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing has to be put in order first
    return asyncio.run(demo(_console()))


async def _alone(server: Server) -> None:
    async with server.running():
        tune_gc()
        print(f"gateway: {server.url} (documentation: {server.url}/docs)", flush=True)


async def _with_mocks(settings: Settings, bound: socket.socket, port: int) -> None:
    server = create_server(settings, bound)
    async with mock_services(port) as said, server.running():
        tune_gc()
        print(said)
        print(await worked_checkout(server.url))
        print(f"documentation: {server.url}/docs (Ctrl-C ends it)", flush=True)
