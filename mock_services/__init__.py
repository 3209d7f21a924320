"""The services behind the gateway, to run it against: stateful, seeded, with latency and faults.

The way of a request: `server` (sockets, signals) -> `service` (latency, faults, log) -> `connection`
(the line to the caller) -> `endpoints` (which handler) -> one module per service, and back as an answer
(`answers`). Writes pass through `keyed`, which lets each take effect once; `memory` may keep them in a
file. `catalogue` lists the services and their ports; `control` answers what tests ask.
"""
