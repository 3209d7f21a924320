"""Services of the courier's gateway: one module for each third-party API."""
