"""Policies round a call: how long it may take, how often it is made, and when it is better not made."""
