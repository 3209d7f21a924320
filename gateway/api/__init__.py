"""HTTP in, HTTP out.

In the order in which a request travels:

- `application`: the app as a whole, wired
- `middleware`: round every request: its id, what nobody foresaw, HEAD and OPTIONS
- `route`: the route of a pipeline; with `incoming` (headers), `body`, `arguments`, `disconnect`
- `commit`: a request for a pipeline that writes; with `idempotency`, `kept` and `running`
- `problems`: failures as answers; with `violations`, `refusal` and `exceptions`, which end there too
- `catalogue`, `examples`, `foreseen`, `openapi`, `docs`: what all that means, for readers
- `pipelines`: what each pipeline does, as data
- `executions`: what has become of what was written; with `operator`
- `health`, `ops`: for those who run it
"""
