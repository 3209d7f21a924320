"""Examples of the sample's response models, which dry runs and the documentation use."""

from importlib import import_module
from inspect import getmembers, isclass
from pkgutil import iter_modules
from typing import Final

import pytest
from pydantic import TypeAdapter

from gateway import services
from gateway.client.examples import build_example
from gateway.client.models import UpstreamResponse

MODULES: Final = [
    import_module(f"{services.__name__}.{module.name}") for module in iter_modules(services.__path__)
]
MODELS: Final = [
    model
    for module in MODULES
    for _, model in getmembers(module, isclass)
    if issubclass(model, UpstreamResponse) and model.__module__ == module.__name__
]


def test_services_have_response_models() -> None:
    assert {"AccountBalance", "PlacedOrder", "User"} <= {model.__name__ for model in MODELS}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_response_model_has_example(model: type[UpstreamResponse]) -> None:
    assert isinstance(build_example(TypeAdapter(model)), model)
