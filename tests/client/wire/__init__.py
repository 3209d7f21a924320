"""The real transport, over real sockets on loopback, in real time."""
