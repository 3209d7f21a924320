"""The failure matrix over connections, by the gateway's own transport and by httpx's."""
