"""Write docs/failures.md."""

import logging

from tests.matrix.failures_page import PAGE, render_page

if __name__ == "__main__":
    logging.disable()  # failures are expected here
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render_page(), encoding="utf-8")
