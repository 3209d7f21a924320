"""Load and faults on real processes: the gateway, compared with plain FastAPI.

    .venv/bin/python -m benchmarks.storms
    .venv/bin/python -m benchmarks.storms --only flapping --scale 0.1

A storm is a scenario of load and faults that is run on both targets.

- `client`: the load generator: requests, their outcomes, and measurements of capacity
- `targets`: the two servers under test
- `process`, `services`: child processes, and the mock services as child processes
- `deployment`: a running target with its services and a client
- `books`: comparison of the state of the services with the responses
- `scenarios`: a module per storm
- `report`, `storm`, `page`: the result of a storm, the list of all storms, and their page in `docs/`
"""
