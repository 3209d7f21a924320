"""Policies round a call: how long it may take, and when it is better not made."""
