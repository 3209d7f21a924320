"""The program: python -m mock_services NAME."""

import argparse
import asyncio
import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import uvloop

from mock_services.catalogue import BASE_PORT, SERVICES, create_service, port_of
from mock_services.memory import CannotRememberError, Memory
from mock_services.server import Listener, ListenError, serve

__all__ = ["main"]

_ALL: Final = "all"
_LARGEST_PORT: Final = 65535


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve what the arguments (default: the command line's) name, and return the exit code."""
    options = _parser().parse_args(arguments, _Options())
    logging.basicConfig(level=logging.WARNING, format="mock_services: %(message)s")
    try:
        listeners = _listen(options, _latency_scale(os.environ.get("MOCK_LATENCY_SCALE") or "1"))
    except (ListenError, CannotRememberError) as error:
        return _complain(1, error)
    except ValueError as error:
        return _complain(2, error)
    uvloop.run(_serve(listeners, exit_with_stdin=options.exit_with_stdin))
    return 0


class _Options(argparse.Namespace):
    """What the command line says."""

    service: str
    host: str
    port: int | None
    base_port: int
    exit_with_stdin: bool
    state: Path | None


def _parser() -> argparse.ArgumentParser:
    ports = "\n".join(f"  {port_of(name)}  {name}" for name in SERVICES)
    parser = argparse.ArgumentParser(
        prog="python -m mock_services",
        description="Serve one of the services behind the gateway, or all of them in one process.",
        epilog=f"services and their ports:\n{ports}\n\n"
        "environment:\n  MOCK_LATENCY_SCALE  multiplies every latency (default: 1; 0: none)",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("service", choices=(*SERVICES, _ALL), metavar="NAME", help='a service from the list below, or "all"')
    add("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--port", type=_port, help="the port of the one service; 0 is any free port")
    where.add_argument(
        "--base-port",
        type=_base_port,
        default=BASE_PORT,
        help="the port of the first service, the others follow (default: %(default)s; 0: any free ones)",
    )
    add(
        "--exit-with-stdin",
        action="store_true",
        help="end when standard input ends, so as not to outlive a parent, and not on Ctrl-C",
    )
    add(
        "--state",
        type=Path,
        metavar="FILE",
        help="where what the one service has written outlives it, however it ends; faults and the log of "
        "calls do not",
    )
    return parser


def _base_port(text: str) -> int:
    return _port(text, largest=_LARGEST_PORT - len(SERVICES) + 1)


def _port(text: str, largest: int = _LARGEST_PORT) -> int:
    if not text.isdecimal() or int(text) > largest:
        message = f"not a port: {text!r}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _latency_scale(text: str) -> float:
    message = f"MOCK_LATENCY_SCALE must be a number from 0, not {text!r}"
    with suppress(ValueError):
        scale = float(text)
        if scale >= 0 and math.isfinite(scale):
            return scale
    raise ValueError(message)


def _listen(options: _Options, latency_scale: float) -> Sequence[Listener]:
    """Bind every port before anything is served."""
    names = list(SERVICES) if options.service == _ALL else [options.service]
    if options.port is not None and options.service == _ALL:
        message = '--port is for one service; "all" takes --base-port'
        raise ValueError(message)
    if options.state is not None and options.service == _ALL:
        message = "--state is for one service"
        raise ValueError(message)
    memory = None if options.state is None else Memory(options.state)
    return [
        Listener.bind(
            name,
            create_service(name, latency_scale=latency_scale, memory=memory),
            options.host,
            port_of(name, options.base_port) if options.port is None else options.port,
        )
        for name in names
    ]


async def _serve(listeners: Sequence[Listener], *, exit_with_stdin: bool) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # Ctrl-C goes to the parent as well, which may still need the services for what it has to finish.
    loop.add_signal_handler(signal.SIGINT, (lambda: None) if exit_with_stdin else stop.set)
    if exit_with_stdin:
        _when_stdin_ends(lambda: loop.call_soon_threadsafe(stop.set))
    await serve(listeners, stop, lambda: _announce(listeners))


def _announce(listeners: Sequence[Listener]) -> None:
    urls = " ".join(f"{listener.name} {listener.url}" for listener in listeners)
    print(f"mock_services: {urls} ready", flush=True)  # noqa: T201 (it is what the program says)


def _when_stdin_ends(then: Callable[[], object]) -> None:
    """Read in a thread: event loops cannot wait for every kind of standard input."""

    def read() -> None:
        with suppress(OSError):  # a standard input that is closed has ended as well
            while os.read(0, 4096):
                pass
        with suppress(RuntimeError):  # the loop has ended before
            then()

    threading.Thread(target=read, daemon=True).start()


def _complain(code: int, error: Exception) -> int:
    print(f"mock_services: {error}", file=sys.stderr)  # noqa: T201 (it is for whoever started the program)
    return code


if __name__ == "__main__":
    sys.exit(main())
