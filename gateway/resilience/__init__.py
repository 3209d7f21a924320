"""Policies round requests and calls: how much is let in, how long it may take, what is better not made."""
