"""What pipelines do, as data: shown by running them on examples, without asking any service.

`plan` says what is known of a pipeline, `rehearsal` finds it out, and `schedule` reckons with times: which
calls are on the critical path, and how much later the others could end.
"""
