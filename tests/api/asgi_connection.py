"""The server's side of one connection."""

import asyncio

from starlette.types import Message


class Connection:
    """What the client has sent, and what it is sent, with a client that can hang up."""

    def __init__(self, *received: Message) -> None:
        self.sent: list[Message] = []
        self._received = asyncio.Queue[Message]()
        for message in received:
            self.say(message)

    def say(self, message: Message) -> None:
        self._received.put_nowait(message)

    def hang_up(self) -> None:
        self.say({"type": "http.disconnect"})

    async def receive(self) -> Message:
        return await self._received.get()

    async def send(self, message: Message) -> None:
        self.sent.append(message)
