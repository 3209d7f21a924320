"""HTTP in, HTTP out.

In the order in which a request travels:

- `application`: the app as a whole, wired
- `middleware`: round every request: its id, what nobody foresaw, HEAD and OPTIONS
- `route`: the route of a pipeline; with `incoming` (headers), `body`, `arguments`, `disconnect`
- `problems`: failures as answers; with `violations`, `refusal` and `exceptions`, which end there too
- `catalogue`, `examples`, `openapi`, `docs`: what all that means, for readers
- `pipelines`: what each pipeline does, as data
- `health`, `ops`: for those who run it
"""
