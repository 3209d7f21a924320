"""Load and faults on real processes: the gateway, compared with plain FastAPI.

    .venv/bin/python -m benchmarks.storms
    .venv/bin/python -m benchmarks.storms --only flapping --scale 0.1

A storm is one scenario of load and faults that is run on both targets.

- `client`: the load generator: requests, their outcomes, and measurements of capacity
- `targets`: the two servers under test
- `process`, `services`: child processes, and the mock services as such
- `deployment`: a running target with its services and a client
- `books`: whether the state of the services matches the responses
- `scenarios`: one module per storm
- `report`, `storm`, `page`: the result of one storm, the list of all, and their page in `docs/`
"""
