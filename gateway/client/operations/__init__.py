"""Operations of a service: declared once, and called to describe requests."""
