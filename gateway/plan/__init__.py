"""Plans: the stages and calls of a pipeline as data.

- `plan`: stages and their calls
- `dry_run`: derives the plan by running the pipeline on example data, without calling a service
- `critical_path`: which calls decide how long the pipeline takes, given the latency of each
"""
