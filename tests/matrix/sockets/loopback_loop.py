"""An event loop with a jumping clock, whose TCP connections are socket pairs."""

import asyncio
import socket
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from typing_extensions import override

from tests.clock import AutojumpLoop

__all__ = ("LoopbackLoop",)

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)


class LoopbackLoop(AutojumpLoop):
    """Event loop that connects to its own listeners, by port, and refuses other connections.

    The kernel hands the bytes of a socket pair over at once, unlike those of TCP, which may be on their way
    when all tasks wait. So the clock cannot jump before they are read.
    """

    def __init__(self) -> None:
        super().__init__()
        self._listeners: dict[int | None, Callable[[], asyncio.Protocol]] = {}

    def listen(self, ports: Collection[int | None], create_protocol: Callable[[], asyncio.Protocol]) -> None:
        """Accept connections to *ports*, each with a protocol of its own."""
        self._listeners.update(dict.fromkeys(ports, create_protocol))

    @override
    async def create_connection(
        self,
        protocol_factory: Callable[[], ProtocolT],
        host: str | None = None,
        port: int | None = None,
        **options: Any,
    ) -> tuple[asyncio.Transport, ProtocolT]:
        create_server = self._listeners.get(port)
        if create_server is None:
            raise ConnectionRefusedError
        client, server = socket.socketpair()
        await self.connect_accepted_socket(create_server, server)
        return await super().create_connection(protocol_factory, sock=client)
