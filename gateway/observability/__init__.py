"""What a request did, and how it is shown."""
