"""Policies round requests and calls: how much is let in, how long it may take, and what is better not made."""
