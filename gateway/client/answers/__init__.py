"""Answers of services: where they come from, and how their bodies are read."""
