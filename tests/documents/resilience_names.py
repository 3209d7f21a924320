"""Names that `docs/resilience.md` does not define."""

from collections.abc import Sequence

from gateway import UpstreamResponse

__all__ = ("Post", "Sequence")


class Post(UpstreamResponse):
    author: str
