"""The services as their callers see them, over transports that do as they are told."""
