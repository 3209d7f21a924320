"""Load and faults on real processes: the gateway, and plain FastAPI beside it.

    .venv/bin/python -m benchmarks.storms
    .venv/bin/python -m benchmarks.storms --only flapping --scale 0.1

- `process`, `services`: programs of ours as processes, and the mock services among them
- `ours`, `plain`, `inside`: the two targets, and what both have for us beside what they serve
- `request`, `client`, `answers`: what is sent, by whom, and what came of it
- `capacity`: how much a target can answer
- `stand`, `books`: a target before its services, seen from outside, and what has been written to those
- `cancelled`, `flapping`, `overload`, `hanging`, `killing`, `memory`: the storms
- `report`, `storm`, `page`: what one has shown, all of them, and their page in `docs/`
"""
