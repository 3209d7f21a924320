"""Dialer of connections to one origin: resolve the host, and try every address."""

import asyncio
import random
import ssl
from collections.abc import Sequence
from typing import Final, final

import httpx

from gateway.http1.connection import Connection
from gateway.http1.patient_timeout import PatientTimeout
from gateway.http1.resolver import Resolver
from gateway.http1.terms import TransportTerms

__all__ = ("Dialer",)


@final
class Dialer:
    """Dialer of connections to *host* and *port*, with TLS if *tls* is given."""

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        resolver: Resolver,
        terms: TransportTerms,
    ) -> None:
        self._host: Final = host
        self._port: Final = port
        self._tls = tls
        self._resolver = resolver
        self._terms = terms

    async def connect(self, timeout: float | None) -> Connection:  # noqa: ASYNC109 - httpx's own timeout
        """Connect within *timeout* seconds.

        If no known address can be connected to, the host is looked up again: a service that has been
        restarted may have another address.

        Raise `httpx.ConnectTimeout` or `httpx.ConnectError`.
        """
        try:
            async with PatientTimeout(timeout):
                return await self._connect(timeout)
        except TimeoutError:
            msg = f"no connection within {timeout} s"
            raise httpx.ConnectTimeout(msg) from None
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error

    async def _connect(self, timeout: float | None) -> Connection:  # noqa: ASYNC109 - as above
        addresses = await self._resolver.resolve(self._host)
        try:
            return await self._try(addresses, timeout)
        except OSError:
            found = [one for one in await self._resolver.refresh(self._host) if one not in addresses]
            if not found:
                raise
            return await self._try(found, timeout)

    async def _try(self, addresses: Sequence[str], timeout: float | None) -> Connection:  # noqa: ASYNC109
        """Try *addresses* in order; each but the last has its share of *timeout*.

        Raise the `OSError` of the last one.
        """
        share = None if timeout is None else timeout / len(addresses)
        for address in addresses[:-1]:
            try:
                async with PatientTimeout(share):
                    return await self._open(address)
            except OSError:
                continue
        return await self._open(addresses[-1])

    async def _open(self, address: str) -> Connection:
        loop, terms = asyncio.get_running_loop(), self._terms
        age = terms.max_age * (1 - terms.age_jitter * random.random())  # noqa: S311 - no cryptography
        _, connection = await loop.create_connection(
            lambda: Connection(terms, loop, loop.time() + age),
            address,
            self._port,
            ssl=self._tls,
            server_hostname=None if self._tls is None else self._host,
        )
        if self._tls is None and not connection.is_usable:
            connection.abort()
            msg = "the server sent data or closed the connection before the request"
            raise ConnectionAbortedError(msg)
        return connection
