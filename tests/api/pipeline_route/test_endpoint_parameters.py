"""Parameters of an endpoint function."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import Form
from fastapi.dependencies.models import Dependant
from pydantic.fields import FieldInfo
from starlette.responses import Response

from gateway.api.pipeline_route.parameters import find_body, name_endpoint
from gateway.api.pipeline_route.registration import RegistrationError
from gateway.api.pipeline_route.request import PipelineRequest


@dataclass
class FormField:
    """A field as FastAPI describes it where python-multipart is installed."""

    name: str
    alias: str
    field_info: FieldInfo = field(default_factory=Form)

    def validate(self, value: object) -> tuple[object, list[dict[str, Any]]]:
        return value, [{"loc": (self.name,)}]


async def take_form(request: PipelineRequest, text: str) -> Response:
    return await request.run(text)


def test_form_is_refused() -> None:
    fields: list[Any] = [FormField("text", "text")]

    with pytest.raises(RegistrationError, match="take_form: text is form data or a file"):
        find_body(take_form, Dependant(body_params=fields))


def test_endpoint_is_named_by_its_qualified_name() -> None:
    assert name_endpoint(take_form) == "take_form"
