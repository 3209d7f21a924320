"""Answers of services, in the order in which they are read.

- `reception`: responses of other transports than the gateway's own.
- `readers`, `problems`: values, and the problems of refusals.
- `refusals`, `pages`: the origin of an answer.
- `body`, `content_coding`: the bytes of a body.
- `validation`, `leniency`, `core_schemas`: the validators of values.
"""
