"""Command line interface: `python -m mock_services NAME`."""

import argparse
import asyncio
import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from mock_services.catalogue import BASE_PORT, SERVICES, create_service, port_of
from mock_services.http.server import Listener, ListenError, serve
from mock_services.write_log import WriteLog, WriteLogError

__all__ = ["main"]

_ALL: Final = "all"
_LARGEST_PORT: Final = 65535


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with *arguments* (default: the command line) and return its exit code."""
    options = _build_parser().parse_args(arguments, _Options())
    logging.basicConfig(level=logging.WARNING, format="mock_services: %(message)s")
    try:
        listeners = _listen(options, _parse_latency_scale(os.environ.get("MOCK_LATENCY_SCALE") or "1"))
    except (ListenError, WriteLogError) as error:
        return _report(1, error)
    except ValueError as error:
        return _report(2, error)
    _run(_serve(listeners, exit_with_stdin=options.exit_with_stdin))
    return 0


class _Options(argparse.Namespace):
    """The parsed command line."""

    service: str
    host: str
    port: int | None
    base_port: int
    exit_with_stdin: bool
    state: Path | None


def _build_parser() -> argparse.ArgumentParser:
    ports = "\n".join(f"  {port_of(name)}  {name}" for name in SERVICES)
    parser = argparse.ArgumentParser(
        prog="python -m mock_services",
        description="Run a mock service for the gateway to call, or all of them in one process.",
        epilog=f"services and their ports:\n{ports}\n\n"
        "environment:\n  MOCK_LATENCY_SCALE  factor for the latency of endpoints (default: 1; 0: no latency)",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("service", choices=(*SERVICES, _ALL), metavar="NAME", help='a service from the list below, or "all"')
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--port", type=_parse_port, help="port of a single service (default: see below; 0: any free port)"
    )
    where.add_argument(
        "--base-port",
        type=_parse_base_port,
        default=BASE_PORT,
        help="port of the first service; the others use the next ports "
        "(default: %(default)s; 0: any free ports)",
    )
    add(
        "--exit-with-stdin",
        action="store_true",
        help="ignore Ctrl-C; stop when standard input is closed, which happens when the parent process ends",
    )
    add(
        "--state",
        type=Path,
        metavar="FILE",
        help="file in which a single service persists its writes; faults and the call log are not persisted",
    )
    return parser


def _parse_base_port(text: str) -> int:
    return _parse_port(text, largest=_LARGEST_PORT - len(SERVICES) + 1)


def _parse_port(text: str, largest: int = _LARGEST_PORT) -> int:
    if not text.isdecimal() or int(text) > largest:
        message = f"invalid port {text!r}: expected a number from 0 to {largest}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _parse_latency_scale(text: str) -> float:
    message = f"invalid MOCK_LATENCY_SCALE {text!r}: expected a finite number of at least 0"
    with suppress(ValueError):
        scale = float(text)
        if scale >= 0 and math.isfinite(scale):
            return scale
    raise ValueError(message)


def _listen(options: _Options, latency_scale: float) -> Sequence[Listener]:
    """Open a listening socket for each service; none of the services handles requests yet.

    Raises ValueError if the options cannot be combined, ListenError or WriteLogError.
    """
    names = list(SERVICES) if options.service == _ALL else [options.service]
    if options.port is not None and options.service == _ALL:
        message = '--port cannot be combined with "all"; use --base-port'
        raise ValueError(message)
    if options.state is not None and options.service == _ALL:
        message = '--state cannot be combined with "all"; start the service by its name'
        raise ValueError(message)
    write_log = None if options.state is None else WriteLog(options.state)
    return [
        Listener.bind(
            name,
            create_service(name, latency_scale=latency_scale, write_log=write_log),
            options.host,
            port_of(name, options.base_port) if options.port is None else options.port,
        )
        for name in names
    ]


def _run(main: Coroutine[object, object, None]) -> None:
    """Run *main* on the event loop of uvloop, or of asyncio where uvloop is not installed (Windows, PyPy)."""
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


async def _serve(listeners: Sequence[Listener], *, exit_with_stdin: bool) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # Ctrl-C reaches the parent too, which may still need the services for requests in flight.
    loop.add_signal_handler(signal.SIGINT, (lambda: None) if exit_with_stdin else stop.set)
    if exit_with_stdin:
        _call_when_stdin_closes(lambda: loop.call_soon_threadsafe(stop.set))
    await serve(listeners, stop, lambda: _announce(listeners))


def _announce(listeners: Sequence[Listener]) -> None:
    urls = " ".join(f"{listener.name} {listener.url}" for listener in listeners)
    try:
        print(f"mock_services: {urls} ready", flush=True)  # noqa: T201 (the output of the command)
    except BrokenPipeError:
        # The parent has ended. Without this, Python would fail again when it flushes the output at its exit:
        # https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _call_when_stdin_closes(callback: Callable[[], object]) -> None:
    """Call *callback* when standard input is closed.

    A thread waits for that, because an event loop cannot wait for standard input that is a regular file.
    """

    def read() -> None:
        with suppress(OSError):  # standard input may be closed already
            while os.read(0, 4096):
                pass
        with suppress(RuntimeError):  # the loop is already closed
            callback()

    threading.Thread(target=read, daemon=True).start()


def _report(code: int, error: Exception) -> int:
    print(f"mock_services: {error}", file=sys.stderr)  # noqa: T201 (an error message)
    return code


if __name__ == "__main__":
    sys.exit(main())
