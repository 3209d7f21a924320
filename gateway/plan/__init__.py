"""Plans: the stages and calls of a pipeline as data.

- `plan`: stages and their calls
- `dry_run`: derives the plan by running the pipeline on example data, without calling a service
- `critical_path`: the calls that determine the duration of the pipeline, given the latency of each call
"""
