"""What the gateway is loaded with, and what must come of it; locust itself is met in `locustfile.py` alone.

- `case`: one kind of request, and the answer that is due
- `comparison`: in what an answer is another one
- `shelf`: how many can be ordered
- `problems`, `seeds`: how problems are written, and what the mock services have
- `checkout`, `feed`, `orders`, `purchases`, `transfers`: the cases of each pipeline
"""
