"""`gateway explain`: shows the calls of a pipeline, its duration and its critical path.

`command` defines the command, `options` its arguments. `times` come from the options or from a
`measurement`; `report` and `json_report` format the explanation.
"""
