"""Load generator: requests, an HTTP client, outcomes and measurements of capacity."""
