"""The services behind the gateway, one module each."""
