"""Client of an upstream service: declares the operations of the service, and makes their requests."""

from types import MappingProxyType
from typing import Final, final

import httpx

from gateway.client.answers.refusals import choose_refusal_check
from gateway.client.messages import describe_fault
from gateway.client.operations.conventions import Conventions
from gateway.client.operations.endpoint import Connection
from gateway.client.operations.key_placement import KeyPlacement
from gateway.client.operations.read_operation import DeclareRead
from gateway.client.operations.undo_operation import UndoMethods, UndoRegistry
from gateway.client.operations.write_operation import WriteMethods
from gateway.client.sender import USER_AGENT, RequestSender
from gateway.railway import BadAnswer
from gateway.resilience.circuit_breaker import BreakerState
from gateway.resilience.guards import BreakerStates
from gateway.resilience.policies import Policies
from gateway.resilience.validation import check_seconds

__all__ = ("ServiceClient",)

_CHUNKS_AT_ONCE: Final = 10
"""Most requests that a call in chunks makes at the same time."""

_CONVENTIONS: Final = Conventions()


@final
class ServiceClient:
    """Client of an upstream service: declares operations, whose calls return their outcomes as `Result`.

    `client.get`, `post`, `put`, `patch` and `delete` declare reads: operations that change nothing, and are
    retried. `client.write.post`, `put`, `patch` and `delete` declare writes, and `client.undo.delete`,
    `post`, `put` and `patch` their compensations:

        class Users:
            def __init__(self, client: ServiceClient) -> None:
                self._fetch = client.get(
                    "users.fetch", "/users/{user_id}", answer=User, declared={404: NotFound}
                )

            def fetch(self, user_id: str) -> Call[User, NotFound | UpstreamFault]:
                return self._fetch(user_id=user_id)

    The client of a service is built by `Service.connect`.

    - *name*: the service's registered name, such as "user", for messages.
    - *base_url*: http or https; it may have a path, but no credentials, query or fragment.
    - *transport*: sends the requests; the clients of all services may share it.
    - *policies*: the concurrency limit, circuit breakers and retries of the service.
    - *timeout*: seconds for one attempt, from connecting to the end of the body; less if the run's deadline
      is nearer. Connecting may take half of that: an unreachable host is `Unavailable`, a service that hangs
      is `TimedOut`.
    - *user_agent*: value of the `User-Agent` header.
    - *conventions*: default headers, credentials, refusals and idempotency keys of the service.

    Raise `ValueError` if *base_url* or *timeout* is invalid.
    """

    def __init__(  # noqa: PLR0913 - the dependencies of a client
        self,
        name: str,
        base_url: str,
        transport: httpx.AsyncBaseTransport,
        policies: Policies,
        *,
        timeout: float,
        user_agent: str = USER_AGENT,
        conventions: Conventions = _CONVENTIONS,
    ) -> None:
        check_seconds("timeout", timeout)
        self.name: Final = name
        self.policies: Final = policies
        self._sender = sender = RequestSender(
            name, base_url, transport, policies, timeout, user_agent, conventions
        )
        undos = UndoRegistry(name, conventions.settling_ms / 1000)
        self.undos: Final = MappingProxyType(undos.undos)
        """Undos that `undo` has declared, by name; read-only."""
        is_refusal = choose_refusal_check(conventions.refusals)
        at_once = min(_CHUNKS_AT_ONCE, policies.max_concurrency)
        connection = Connection(
            name,
            sender.base_url,
            sender.headers,
            sender.make,
            sender.interpreter.reject_mismatch,
            is_refusal,
            conventions.max_answer_bytes,
            at_once,
        )
        keys = KeyPlacement(conventions.key_header, conventions.key_field)
        self.get: Final = DeclareRead(connection, "GET")
        self.post: Final = DeclareRead(connection, "POST")
        self.put: Final = DeclareRead(connection, "PUT")
        self.patch: Final = DeclareRead(connection, "PATCH")
        self.delete: Final = DeclareRead(connection, "DELETE")
        self.write: Final = WriteMethods(connection, undos, keys)
        self.undo: Final = UndoMethods(connection, undos, keys)

    @property
    def breaker(self) -> BreakerState:
        """Return the worst state of the circuit breakers of required calls."""
        return self.policies.breakers.worst

    @property
    def optional_breaker(self) -> BreakerState:
        """Return the worst state of the circuit breakers of optional calls."""
        return self.policies.optional_breakers.worst

    @property
    def breakers(self) -> BreakerStates:
        """Return the states of the circuit breakers of required calls."""
        return self.policies.breakers

    @property
    def optional_breakers(self) -> BreakerStates:
        """Return the states of the circuit breakers of optional calls."""
        return self.policies.optional_breakers

    @property
    def has_failed_recently(self) -> bool:
        """Return whether a circuit breaker of the service is open, or was open until recently."""
        return self.policies.has_failed_recently

    def build_bad_answer(self, source: str) -> BadAnswer:
        """Build the error of the call *source*, for an answer that the module of the service rejects."""
        return BadAnswer(describe_fault(BadAnswer, self.name), source=source)

    async def ping(self) -> bool:
        """Return whether the service answers `GET /health` with a status below 500 within half a second."""
        return await self._sender.ping()
