"""The peers of the benchmark: servers that answer `POST /checkout` as the gateway does.

Each is a program that reads the URLs of its services from `GATEWAY_USER_URL` and so on, prints its own URL
once it is ready, and serves until it is killed. Successes have the same body as the gateway's, requests and
services' responses are validated alike, and invalid requests are a 422.

- `plain_fastapi`: FastAPI, httpx with its own transport, and `asyncio.gather`: the first draft
- `aiohttp_fastapi`: FastAPI and aiohttp, written with care
- `asgi_floor`: no framework and no policies; `protocol_client` is its HTTP client
- `fastify/`: Fastify and undici on Node.js
- `models`, `server`: bodies and start-up of the peers in Python
"""
