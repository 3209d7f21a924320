"""The services behind the gateways, and the requests that change them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol, TypeAlias

from benchmarks.crashes.answer import Exchange
from benchmarks.crashes.seeded_random import SeededRandom
from benchmarks.crashes.write_request import Kind, WriteRequest
from tests.ledger.service_books import Execution

__all__ = ("RunWorkload", "Workload")


class Workload(Protocol):
    """Services in processes that are not killed."""

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """The kinds of requests by name."""
        ...

    @property
    def arguments(self) -> Sequence[str]:
        """The arguments of `gateway serve`."""
        ...

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings of the gateways, and `CRASH_APP` (see `killable_gateway`)."""
        ...

    def create_requests(self, count: int, random: SeededRandom) -> Sequence[WriteRequest]:
        """Return requests, each with a key of its own."""
        ...

    async def inject_fault(self, random: SeededRandom) -> None:
        """Let a service lose answers, apply writes late, or refuse undos, for a while."""

    async def heal(self) -> None:
        """Remove all faults."""

    async def list_violations(
        self, exchanges: Sequence[Exchange], executions: Sequence[Execution]
    ) -> Sequence[str]:
        """Compare the state of the services with the answers and the executions; nothing is in progress.

        Stuck executions may have left anything behind.
        """
        ...

    async def count(self) -> Mapping[str, int]:
        """Return figures about the state of the services."""
        ...


RunWorkload: TypeAlias = Callable[[Path], AbstractAsyncContextManager[Workload]]
"""Runs services whose files are in a folder."""
