"""The pipelines, one screen each: what they call, in which order, and what they promise."""
