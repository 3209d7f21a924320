"""The user and social services on a raw socket, in a thread: healthy, until a test replaces an answer."""

import contextlib
import socket
import threading
from collections.abc import Generator, Iterable, Mapping
from json import dumps
from typing import Final, final

__all__ = ("RawUpstream", "build_answer", "build_json_answer", "listen")

_HEALTHY: Final[Mapping[str, object]] = {
    "/settings": {"languages": ["en"], "show_recommendations": True},
    "/friends/": [],
    "/posts": [],
    "/recommendations": [],
    "/health": {},
}


def build_answer(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """Build a response; underscores in the names of *headers* become hyphens."""
    fields = {"content_type": "application/json", "content_length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body


def build_json_answer(value: object, status: str = "200 OK", **headers: str) -> bytes:
    """Build a response with *value* as JSON."""
    return build_answer(dumps(value).encode(), status, **headers)


@final
class RawUpstream:
    """Server for several services.

    *answers* replaces responses by the end of the path, or by a part of the path that ends in a slash. A
    response is sent in parts if there are several; after that the connection stays open. *heads* are the
    heads of all requests.
    """

    def __init__(self, listener: socket.socket) -> None:
        self.answers: dict[str, bytes | Iterable[bytes]] = {}
        self.heads: list[str] = []
        self.port: Final[int] = listener.getsockname()[1]
        self._listener = listener
        self._connections: list[socket.socket] = []

    def serve(self) -> None:
        """Accept connections until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """Close the listener and all connections."""
        for opened in (self._listener, *self._connections):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)

    def find_head(self, path: str) -> str:
        """Return the head of the last request for *path*."""
        return next(head for head in reversed(self.heads) if head.split()[1] == path)

    def _serve_connection(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            # Otherwise the kernel sends a second part only after the acknowledgement of the first.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            received = b""
            while True:
                while b"\r\n\r\n" not in received:
                    received += (chunk := connection.recv(65536))
                    if not chunk:
                        return
                head, _, received = received.partition(b"\r\n\r\n")
                self.heads.append(head.decode("latin-1"))
                for part in self._find_answer(self.heads[-1].split()[1]):
                    connection.sendall(part)

    def _find_answer(self, target: str) -> Iterable[bytes]:
        path = target.partition("?")[0]
        for part, answer in self.answers.items():
            if _is_match(path, part):
                return [answer] if isinstance(answer, bytes) else answer
        for part, value in _HEALTHY.items():
            if _is_match(path, part):
                return [build_json_answer(value)]
        user_id = path.rpartition("/")[2]
        return [build_json_answer({"user_id": user_id, "email": "user@example.com", "is_active": True})]


def _is_match(path: str, part: str) -> bool:
    return part in path if part.endswith("/") else path.endswith(part)


@contextlib.contextmanager
def listen(port: int = 0) -> Generator[RawUpstream]:
    """Serve on *port*, by default a free one, until the end of the `with` block."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        upstream = RawUpstream(listener)
        thread = threading.Thread(target=upstream.serve, daemon=True)
        thread.start()
        try:
            yield upstream
        finally:
            upstream.close()
            thread.join()
