"""HTTP client for one upstream service.

- `service`, `service_client`: the registration of a service, and the client that its class receives.
- `operations`: reads, writes and undos, from their declaration to the request.
- `sender`: makes the attempts of a call; `transport` creates the transports that send them.
- `interpreter`, `exceptions`: outcomes of responses and of exceptions; `answers` reads the responses.
- `chunks`: long lists in several requests.
"""
