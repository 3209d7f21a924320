"""Changes of the core schemas in a core schema."""

from pydantic_core import core_schema

from gateway.client.answers.core_schemas import Node, change_nodes, list_nodes

NUMBER = core_schema.int_schema()


def mark(node: Node) -> Node:
    return {**node, "marked": True} if node.get("type") == "int" else node


def test_schema_in_labelled_choice_is_changed() -> None:
    union = core_schema.union_schema([(NUMBER, "number"), core_schema.str_schema()])

    assert change_nodes(union, mark) == {
        "type": "union",
        "choices": [({"type": "int", "marked": True}, "number"), {"type": "str"}],
    }


def test_fields_with_names_of_keys_are_changed() -> None:
    fields = {name: core_schema.model_field(NUMBER) for name in ("type", "metadata", "default", "fields")}
    changed = change_nodes(core_schema.model_fields_schema(fields), mark)

    assert sum(node.get("marked") is True for node in list_nodes(changed)) == 4


def test_values_that_look_like_schemas_stay() -> None:
    schema = core_schema.with_default_schema(core_schema.any_schema(), default={"type": "int"})

    assert change_nodes(schema, mark) == schema


def test_schema_itself_is_not_changed() -> None:
    schema = core_schema.list_schema(NUMBER)
    change_nodes(schema, mark)

    assert schema == {"type": "list", "items_schema": {"type": "int"}}
