"""The peers: their names, programs and descriptions."""

import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.performance.scenarios import Participants

__all__ = (
    "AIOHTTP",
    "ASGI_FLOOR",
    "C_FLOOR",
    "EXCHANGES",
    "FASTIFY",
    "FASTIFY_DEADLINES",
    "FASTIFY_FOLDER",
    "GATEWAY",
    "GATEWAY_HTTPX",
    "NAMES",
    "PLAIN",
    "PYTHON",
    "ROOT",
    "Peer",
    "find_commit",
    "list_peers",
    "name_trees",
)

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = str(ROOT / ".venv" / "bin" / "python")
FASTIFY_FOLDER: Final = ROOT / "benchmarks" / "peers" / "fastify"

GATEWAY: Final = "gateway"
GATEWAY_HTTPX: Final = "gateway-httpx"
PLAIN: Final = "plain-fastapi"
AIOHTTP: Final = "aiohttp"
FASTIFY: Final = "fastify"
FASTIFY_DEADLINES: Final = "fastify-deadlines"
ASGI_FLOOR: Final = "asgi-floor"
C_FLOOR: Final = "c-floor"
NAMES: Final = (
    GATEWAY,
    GATEWAY_HTTPX,
    PLAIN,
    AIOHTTP,
    FASTIFY,
    FASTIFY_DEADLINES,
    ASGI_FLOOR,
    C_FLOOR,
)
"""The peers' names on the command line."""

EXCHANGES: Final = 8
"""Exchanges of request and response in a checkout: one with the client, seven with services."""


@dataclass(frozen=True)
class Peer:
    """A server under test.

    - *name*: of the peer in tables; *kind* is one of `NAMES`. They differ if several trees are compared.
    - *command*: runs the server in *folder* and prints its URL first; empty for the C floor.
    - *is_gateway*: the settings of a scenario apply to it.
    - *is_slow*: a quick run measures it in few scenarios only, because it takes seconds to drain.
    """

    name: str
    kind: str
    label: str
    description: str
    command: tuple[str, ...]
    folder: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    is_gateway: bool = False
    is_slow: bool = False

    def takes_part(self, participants: Participants) -> bool:
        """Return True if the peer is one of *participants*."""
        match participants:
            case "all":
                return True
            case "servers":
                return self.kind != C_FLOOR
            case "fast servers":
                return self.kind != C_FLOOR and not self.is_slow
            case "gateways":
                return self.kind == GATEWAY


def list_peers(trees: Mapping[str, Path]) -> Iterator[Peer]:
    """Yield all peers; *trees* are the folders of the gateways by the names that `name_trees` returns."""
    for name, tree in trees.items():
        yield Peer(
            name,
            GATEWAY,
            name if len(trees) > 1 else "fanout-gateway",
            "this gateway, as `gateway serve` runs it",
            (str(tree / ".venv" / "bin" / "python"), "-m", "gateway", "serve", "--port", "0"),
            tree,
            is_gateway=True,
        )
    first, tree = next(iter(trees.items()))
    yield Peer(
        GATEWAY_HTTPX,
        GATEWAY_HTTPX,
        f"{'fanout-gateway' if len(trees) == 1 else first} over httpx",
        "the same with `GATEWAY_TRANSPORT=httpx`: httpx's own transport sends the calls",
        (str(tree / ".venv" / "bin" / "python"), "-m", "gateway", "serve", "--port", "0"),
        tree,
        {"GATEWAY_TRANSPORT": "httpx"},
        is_gateway=True,
        is_slow=True,
    )
    yield Peer(
        PLAIN,
        PLAIN,
        "FastAPI + httpx",
        "FastAPI, one `httpx.AsyncClient` with its own transport, and `asyncio.gather`",
        _python("plain_fastapi"),
        is_slow=True,
    )
    yield Peer(
        AIOHTTP,
        AIOHTTP,
        "FastAPI + aiohttp",
        "FastAPI and aiohttp, written with care: one session with keep-alive, timeouts, and `asyncio.gather`",
        _python("aiohttp_fastapi"),
    )
    node = ("node", str(FASTIFY_FOLDER / "server.js"))
    yield Peer(
        FASTIFY,
        FASTIFY,
        "Fastify + undici",
        "Fastify and undici on Node.js, with JSON schemas; calls have no deadline",
        node,
    )
    yield Peer(
        FASTIFY_DEADLINES,
        FASTIFY_DEADLINES,
        "Fastify, deadlines",
        "the same with a deadline for each call, an `AbortSignal.timeout`",
        (*node, "--call-timeout-ms", "1000"),
    )
    yield Peer(
        ASGI_FLOOR,
        ASGI_FLOOR,
        "bare ASGI",
        "an ASGI function on uvicorn and a client of a hundred lines on httptools, with the same validation, "
        "but no framework and no policies: the practical floor in Python",
        _python("asgi_floor"),
    )
    yield Peer(
        C_FLOOR,
        C_FLOOR,
        "C floor",
        "the CPU that wrk, a client in C, needs for eight exchanges with the services: little more than the "
        "kernel's share of a checkout",
        (),
    )


def name_trees(folders: Sequence[Path]) -> Mapping[str, Path]:
    """Return the folders of gateways by name: "gateway", or "gateway 1a2b3c4" if there are several.

    A number follows the commit if several folders have the same one.
    """
    if len(folders) == 1:
        return {GATEWAY: folders[0]}
    commits = [find_commit(folder) for folder in folders]
    counts = Counter(commits)
    return {
        f"{GATEWAY} {commit}" if counts[commit] == 1 else f"{GATEWAY} {commit} {number}": folder
        for number, (commit, folder) in enumerate(zip(commits, folders, strict=True), 1)
    }


def find_commit(folder: Path) -> str:
    """Return the short name of the commit in *folder*, with "+" if files have changed since."""

    def git(*arguments: str) -> str:
        command = ("git", "-C", str(folder), *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603

    commit = git("rev-parse", "--short", "HEAD") or "unknown"
    return f"{commit}+" if git("status", "--porcelain", "--untracked-files=no", "gateway") else commit


def _python(module: str) -> tuple[str, ...]:
    return (PYTHON, "-m", f"benchmarks.peers.{module}")
