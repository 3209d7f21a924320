"""A pipeline that does what no pipeline may."""

__all__ = ("RunMisused",)


class RunMisused(RuntimeError):  # noqa: N818 - it says what happened
    """A bug in a pipeline: its run was used after its end, twice at once, or kept from being left.

    Or it was asked for what a run does not do: a write in a stage, a call that can fail after a commit.
    """
