"""The failure matrix: every way in which the calls of a pipeline can fail, alone and two at a time.

What is called, when, and how it may be refused is found out by running the pipelines (`discovery`). Each cell
is an HTTP request to the whole gateway, with faults where the network would be (`services`). What it comes to
is held to a model of a few rules (`model`) and to what must hold in every cell (`invariants`).

`python -m tests.matrix` writes `docs/failures.md`, which shows it all.
"""
