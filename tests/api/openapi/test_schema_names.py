"""Names and titles of schemas that collide."""

from typing import Any, Final

from pydantic import BaseModel

from gateway.api.openapi.components import build_components
from gateway.api.openapi.schema_names import make_titles_unique, rename_schemas
from gateway.api.pipeline_route.registration import Route
from gateway.railway import NotFound, Run, UpstreamFault, railway
from tests.api.openapi_document import resolve_schema
from tests.api.sample_gateway import build_gateway

PART: Final = {"$ref": "#/components/schemas/Part"}
PART_MODEL: Final = {"$ref": "#/components/schemas/PartModel"}


class Part(BaseModel):
    """Part of a lamp; problems have a schema of this name."""

    weight: int = 1


@railway
async def fit(_: Run[NotFound | UpstreamFault], part: Part) -> list[Part]:
    return [part]


def build(content: dict[str, Any], **schemas: dict[str, Any]) -> dict[str, Any]:
    responses = {"200": {"content": content}}
    return {"paths": {"/lamps": {"get": {"responses": responses}}}, "components": {"schemas": schemas}}


def test_colliding_schema_is_renamed_with_its_references() -> None:
    document = build({"application/json": {"schema": {"items": PART}}}, Part={}, Lamp={"items": PART})

    assert rename_schemas(document, {"Part", "Problem"}) == build(
        {"application/json": {"schema": {"items": PART_MODEL}}}, PartModel={}, Lamp={"items": PART_MODEL}
    )


def test_problems_refer_to_schemas_of_the_gateway() -> None:
    content = {"application/problem+json": {"schema": PART}}

    assert rename_schemas(build(content, Part={}), {"Part"}) == build(content, PartModel={})


def test_other_documents_are_unchanged() -> None:
    document = build({"application/json": {"schema": PART}}, Part={})

    assert rename_schemas(document, {"Problem"}) is document


def test_shared_title_is_replaced_by_the_name() -> None:
    schemas = {"Lamp-Input": {"title": "Lamp"}, "Lamp-Output": {"title": "Lamp"}, "Bulb": {"title": "A bulb"}}

    assert {name: schema["title"] for name, schema in make_titles_unique(schemas).items()} == {
        "Lamp-Input": "Lamp-Input",
        "Lamp-Output": "Lamp-Output",
        "Bulb": "A bulb",
    }


def test_schemas_without_title_get_none() -> None:
    schemas: dict[str, Any] = {"Lamp": {"type": "object"}, "Bulb": {"type": "object"}}

    assert make_titles_unique(schemas) == schemas


def test_model_named_as_a_schema_of_problems_is_kept() -> None:
    document = build_gateway(Route("POST", "/lamps", fit), services={}).openapi()
    responses = document["paths"]["/lamps"]["post"]["responses"]

    items = responses["200"]["content"]["application/json"]["schema"]["items"]
    assert resolve_schema(document, items)["properties"].keys() == {"weight"}
    own = build_components()["schemas"]
    assert {name: document["components"]["schemas"][name] for name in ("Problem", "Violation")} == {
        name: own[name] for name in ("Problem", "Violation")
    }
