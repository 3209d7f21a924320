"""Resolver of host names: one look-up at a time per name, in threads; the last known addresses are kept."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeAlias, final

__all__ = ("LookUp", "Resolver")

LookUp: TypeAlias = Callable[[str], Sequence[str]]
"""Function that returns the addresses of a host name, and may block; raise `OSError` if there are none."""


def look_up(host: str) -> Sequence[str]:
    """Return the addresses of *host*, in the order of the system's resolver."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@final
class Resolver:
    """Resolver of host names, which keeps addresses for *ttl* seconds.

    The last known addresses of a name are used as long as a look-up of the name is under way, and if it
    fails: a name server that is down makes no service unreachable. Each name has at most one thread, so that
    names that cannot be looked up keep no others waiting.

    After a failed look-up, and between two look-ups by `refresh`, are at least *refresh_interval* seconds:
    many failed connections in an outage cause few look-ups.
    """

    def __init__(self, ttl: float, look_up: LookUp = look_up, refresh_interval: float = 1.0) -> None:
        self._ttl = ttl
        self._look_up = look_up
        self._refresh_interval = refresh_interval
        self._names: dict[str, _Name] = {}

    async def resolve(self, host: str) -> Sequence[str]:
        """Return the addresses of *host*; raise `OSError` if none has been found."""
        if _is_address(host):
            return (host,)
        name = self._find(host)
        now = asyncio.get_running_loop().time()
        if name.addresses and now < name.fresh_until:
            return name.addresses
        if name.failure is not None and now < name.refresh_at and not name.addresses:
            raise OSError(name.failure)
        pending = self._start(host, name)
        if name.addresses:
            return name.addresses
        return await asyncio.shield(pending)

    async def refresh(self, host: str) -> Sequence[str]:
        """Look *host* up again, and return its addresses, or the last known if that fails or is too early."""
        if _is_address(host):
            return (host,)
        name = self._find(host)
        now = asyncio.get_running_loop().time()
        if name.pending is None and now < name.refresh_at:
            return name.addresses
        name.refresh_at = now + self._refresh_interval
        with suppress(OSError):
            await asyncio.shield(self._start(host, name))
        return name.addresses

    def _find(self, host: str) -> "_Name":
        name = self._names.get(host)
        if name is None:
            name = self._names[host] = _Name()
        return name

    def _start(self, host: str, name: "_Name") -> asyncio.Future[Sequence[str]]:
        loop = asyncio.get_running_loop()
        if name.pending is not None and name.pending.get_loop() is loop:
            return name.pending
        future: asyncio.Future[Sequence[str]] = loop.create_future()

        def finish(addresses: Sequence[str], error: OSError | None) -> None:
            name.pending = None
            name.fresh_until = loop.time() + self._ttl
            if addresses:
                name.addresses, name.failure = addresses, None
                future.set_result(addresses)
            else:
                error = error or OSError(f"no address of {host}")
                name.refresh_at, name.failure = loop.time() + self._refresh_interval, str(error)
                future.set_exception(error)
                future.exception()  # or asyncio would log it if no request is waiting

        def work() -> None:
            addresses, error = self._try(host)
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(finish, addresses, error)

        try:
            threading.Thread(target=work, name=f"look-up of {host}", daemon=True).start()
        except RuntimeError as error:  # pragma: no cover - the system has no thread left
            msg = f"no thread for a look-up of {host}: {error}"
            raise OSError(msg) from error
        name.pending = future
        return future

    def _try(self, host: str) -> tuple[Sequence[str], OSError | None]:
        try:
            return self._look_up(host), None
        except OSError as error:
            return (), error
        except Exception as error:  # noqa: BLE001 - requests wait for the end of the look-up, whatever it is
            return (), OSError(str(error))


@final
class _Name:
    """Addresses of a host name, the look-up under way, and the failure of the last one.

    The name is looked up again after *fresh_until*, but not because of a failure before *refresh_at*.
    """

    __slots__ = ("addresses", "failure", "fresh_until", "pending", "refresh_at")

    def __init__(self) -> None:
        self.addresses: Sequence[str] = ()
        self.failure: str | None = None
        self.fresh_until = self.refresh_at = 0.0
        self.pending: asyncio.Future[Sequence[str]] | None = None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
