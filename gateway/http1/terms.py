"""Terms of a transport: limits of responses, and the lives of connections."""

from dataclasses import dataclass
from typing import Final, final

__all__ = ("DEFAULT_TERMS", "TransportTerms")


@final
@dataclass(frozen=True, slots=True)
class TransportTerms:
    """Terms of a transport; sizes are in bytes, times in seconds.

    Limits of a response:

    - *max_head*: the status line and all headers.
    - *max_header*: the name and the value of one header.
    - *max_headers*: the number of headers.
    - *max_interim*: the number of interim responses (1xx) before it.
    - *max_body*: the body, unless the request has its own limit in its extension `max_body`.

    Connections to an origin:

    - *max_connections*: most connections at the same time; None for no limit. Further requests wait in order.
    - *keep_alive*: time after which an idle connection is closed. It should be less than that of the server.
    - *max_age*: time after which a connection is no longer reused, so that a new server behind a name gets
      requests under constant load too. Each connection gets up to *age_jitter* of it less, so that they are
      not all replaced at the same time.
    - *address_ttl*: time after which the addresses of a name are looked up again.
    - *refresh_interval*: shortest time between two look-ups of a name because of failures, that is after
      connections have failed, or a look-up.
    """

    max_head: int = 65_536
    max_header: int = 32_768
    max_headers: int = 1_000
    max_interim: int = 16
    max_body: int = 1_048_576
    max_connections: int | None = None
    keep_alive: float = 4.0
    max_age: float = 60.0
    age_jitter: float = 0.2
    address_ttl: float = 10.0
    refresh_interval: float = 1.0


DEFAULT_TERMS: Final = TransportTerms()
