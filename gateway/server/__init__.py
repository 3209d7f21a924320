"""The server process, in the order in which a connection passes it.

- `server`, `listener`, `event_loop`, `gc_tuning`: the process, its socket, and its graceful shutdown.
- `descriptors`, `connections`: the limit of connections.
- `protocol`: a connection, from the bytes of its requests to those of its responses.
- `front_door`: load shedding before the application.
- `trusted_proxy`: the headers of proxies.
"""
