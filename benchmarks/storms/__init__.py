"""Load and faults on real processes: the gateway, and plain FastAPI beside it.

    .venv/bin/python -m benchmarks.storms
    .venv/bin/python -m benchmarks.storms --only flapping --scale 0.1

- `process`, `services`: programs of ours as processes, and the mock services among them
- `ours`, `plain`, `serving`: the two targets, and how both are served
- `request`, `client`, `answers`: what is sent, by whom, and what came of it
- `stand`: a target before its services, seen from outside
- `cancelled`, `flapping`, `overload`, `hanging`, `killing`, `memory`: the storms
- `report`, `storm`, `page`: what one has shown, all of them, and their page in `docs/`
"""
