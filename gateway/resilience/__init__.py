"""Policies round a call and a request: how long it may take, and when it is better not made."""
