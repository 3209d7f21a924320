"""The OpenAPI document and the page at /docs.

The modules, in the order in which the document is built:

- `route_spec`: specification of a pipeline route, from which its part of the document is derived
- `error_examples`, `failure_examples`: example failures of the calls in the pipeline's plan
- `problem_examples`: these failures and the route's own refusals as problems
- `responses`: the responses of a route, and its statuses for `GET /pipelines`
- `components`: headers, parameters, schemas, security and links that operations refer to
- `document`: the whole document, merged with FastAPI's own document
- `schema_names`: unique names and titles of schemas
- `null_examples`: nulls in examples, which FastAPI drops
- `unused_components`: removal of components that nothing refers to
- `swagger_ui`: the document at /openapi.json, and the page at /docs
"""
