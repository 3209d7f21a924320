"""Write the page."""

import logging

from tests.matrix.failures_page import PAGE, current

if __name__ == "__main__":
    logging.disable()  # to find out what fails is to see it fail
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(current(), encoding="utf-8")
