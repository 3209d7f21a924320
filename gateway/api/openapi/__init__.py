"""The OpenAPI document and the page at /docs.

The modules, in the order in which the document is built:

- `route_spec`: one frozen value per pipeline route, from which its part of the document is derived
- `error_examples`, `failure_examples`: the failures of the calls of its plan
- `problem_examples`: these failures, and the route's own refusals, as problems
- `responses`: the responses of a route, and its statuses for `GET /pipelines`
- `components`: headers, parameters, schemas and security that operations refer to
- `document`: the whole document, merged with the one that FastAPI generates
- `swagger_ui`: the page at /docs
"""
