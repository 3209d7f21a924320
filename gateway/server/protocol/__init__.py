"""HTTP/1.1 protocol of client connections: parsing, limits, refusals, and the writing of responses."""
