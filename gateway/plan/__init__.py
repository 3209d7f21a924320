"""Plans: the stages and calls of a pipeline as data.

- `plan`: stages and their calls
- `dry_run`: derives the plan by running the pipeline on example data, without calling a service
- `branches`: whether a run can make other calls than its dry run
- `user_frame`: the frame of the user's own code in which an exception was raised
- `critical_path`: the calls that determine the duration of the pipeline, given the latency of each call
"""
