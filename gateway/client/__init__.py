"""HTTP client for one upstream service."""
