"""ASGI connection of one HTTP request."""

import asyncio

from starlette.types import Message


class AsgiConnection:
    """ASGI connection to a client that sends the messages *received* and can disconnect."""

    def __init__(self, *received: Message) -> None:
        self.sent: list[Message] = []
        self._received = asyncio.Queue[Message]()
        for message in received:
            self.push(message)

    def push(self, message: Message) -> None:
        self._received.put_nowait(message)

    def disconnect(self) -> None:
        self.push({"type": "http.disconnect"})

    async def receive(self) -> Message:
        return await self._received.get()

    async def send(self, message: Message) -> None:
        self.sent.append(message)
