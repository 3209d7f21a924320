"""Code block of docs/openapi.md."""

import re
from pathlib import Path
from typing import Any, Final

from gateway import create_app
from gateway.pipelines import PIPELINES
from gateway.services import SERVICES

PAGE: Final = Path(__file__).parents[2] / "docs" / "openapi.md"


def test_documented_attributes_are_in_the_document() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {"create_app": create_app, "SERVICES": SERVICES, "PIPELINES": PIPELINES}
    exec(block, names)  # noqa: S102 - our own page

    document = names["app"].openapi()
    assert (document["info"]["title"], document["info"]["version"]) == ("Loyalty", "2.1")
    assert document["info"]["contact"]["name"] == "Loyalty team"
    assert document["info"]["license"]["identifier"] == "MIT"
    assert document["servers"] == [{"url": "https://api.example.com"}]
