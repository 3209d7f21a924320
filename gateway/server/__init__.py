"""The server process: uvicorn server, HTTP protocol, listening socket, garbage collector tuning."""
