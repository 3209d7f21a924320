"""The server's side of one connection."""

import asyncio

from starlette.types import Message


class Connection:
    """What the client has sent, and what it is sent, with a client that can hang up."""

    def __init__(self, *received: Message) -> None:
        self.sent: list[Message] = []
        self._received = [*received]
        self._hung_up = asyncio.Event()

    def hang_up(self) -> None:
        self._hung_up.set()

    async def receive(self) -> Message:
        if self._received:
            return self._received.pop(0)
        await self._hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
