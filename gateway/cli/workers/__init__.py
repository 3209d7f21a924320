"""`gateway serve --workers`: several processes that serve on one listening socket.

- `supervisor`: starts the workers, starts another one if one ends, and stops them.
- `supervisor_link`: how a worker and its supervisor notice each other.
- `restart_pause`: how long the supervisor waits before it starts another worker.
"""
