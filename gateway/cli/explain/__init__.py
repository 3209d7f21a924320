"""`gateway explain`: shows what a pipeline does, how long it takes, and which calls decide how long.

`command` defines the command, `options` its arguments. `times` are given by the user or come from a
`measurement`; `report` and `json_report` print the explanation.
"""
