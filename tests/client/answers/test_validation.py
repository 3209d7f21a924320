"""Validation of answers, which stops at the first error of every sequence and mapping."""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, NamedTuple

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import to_json
from typing_extensions import TypedDict

from gateway.client.answers.validation import AnswerValidator
from gateway.client.models import UpstreamResponse
from gateway.observability.reason import Reason
from gateway.railway import Err, Ok

MANY: Final = 50_000
LIST: Final = to_json(["x"] * MANY)
MAPPING: Final = to_json({f"k{number}": "x" for number in range(MANY)})


class Line(UpstreamResponse):
    number: int


class Items(UpstreamResponse):
    items: tuple[int, ...]


class Box(BaseModel):
    """Answer type in which sequences and mappings are nested, and whose names are those of core schemas."""

    inner: Items | None = None
    type: list[Line] = Field(default_factory=list[Line])
    metadata: dict[str, list[int]] = Field(default_factory=dict[str, list[int]])
    default: list[int] = Field(default=[1])


class Root(RootModel[dict[str, int]]):
    pass


class Node(BaseModel):
    children: "list[Node]" = Field(default_factory=list["Node"])
    named: "dict[str, Node]" = Field(default_factory=dict[str, "Node"])


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


@dataclass
class Data:
    items: list[int]


class Typed(TypedDict):
    items: list[int]


class Named(NamedTuple):
    items: list[int]


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: dict[str, int]


class Dog(BaseModel):
    kind: Literal["dog"]
    toys: list[int]


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


def wrap(key: str, content: bytes) -> bytes:
    return b'{"%s": %s}' % (key.encode(), content)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (list[int], LIST),
        (tuple[Line, ...], LIST),
        (set[int], LIST),
        (frozenset[int], LIST),
        (deque[int], LIST),
        (Sequence[int], LIST),
        (list[int] | None, LIST),
        (list[dict[str, int]], to_json([{"a": "x"}] * MANY)),
        (dict[str, int], MAPPING),
        (dict[str, Line], MAPPING),
        (dict[int, str], MAPPING),
        (Mapping[str, int], MAPPING),
        (OrderedDict[str, int], MAPPING),
        (dict[str, int] | None, MAPPING),
        (dict[str, dict[str, int]], wrap("a", MAPPING)),
        (Items, wrap("items", LIST)),
        (Box, wrap("inner", wrap("items", LIST))),
        (Box, wrap("type", LIST)),
        (Box, wrap("default", LIST)),
        (Box, wrap("metadata", MAPPING)),
        (Box, wrap("metadata", wrap("a", LIST))),
        (Root, MAPPING),
        (Node, wrap("children", LIST)),
        (Node, wrap("named", MAPPING)),
        (defaultdict[str, int], MAPPING),
        (Data, wrap("items", LIST)),
        (Typed, wrap("items", LIST)),
        (Named, wrap("items", LIST)),
        (Pet, b'{"kind": "cat", "lives": %s}' % MAPPING),
        (Pet, b'{"kind": "dog", "toys": %s}' % LIST),
        (TypeAdapter(list[int], config=ConfigDict(strict=True)), LIST),
    ],
)
def test_validation_stops_at_first_error(answer: Any, body: bytes) -> None:  # noqa: ANN401 - any type
    result = build(answer)(body)

    assert isinstance(result, Err)
    assert "; " not in result.error.summary
    assert "invalid values" not in result.error.summary


def build(answer: Any) -> AnswerValidator[Any]:  # noqa: ANN401 - any type
    """Return the validator of a type, or of a `TypeAdapter`."""
    return AnswerValidator(answer if hasattr(answer, "validate_json") else TypeAdapter(answer))


def ignore_errors(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    try:
        return handler(value)
    except ValidationError:
        return {}


@pytest.mark.parametrize(
    ("answer", "body", "value"),
    [
        (dict[str, int] | dict[str, str], b'{"a": "x"}', {"a": "x"}),
        (list[int] | list[str], b'["x", "y"]', ["x", "y"]),
        (list[dict[str, int] | dict[str, str]], b'[{"a": "x"}, {"b": 1}]', [{"a": "x"}, {"b": 1}]),
        (Annotated[dict[str, int], WrapValidator(ignore_errors)], b'{"a": "x"}', {}),
        (dict[str, Decimal], b'{"a": "1.50"}', {"a": Decimal("1.50")}),
        (defaultdict[str, int], b'{"a": 1}', {"a": 1}),
        (Box, b'{"type": [{"number": 1}], "default": []}', Box(type=[Line(number=1)], default=[])),
        (Node, b'{"named": {"a": {"children": [{}]}}}', Node(named={"a": Node(children=[Node()])})),
        (Items, b'{"items": [1, 2], "other": 3}', Items(items=(1, 2))),
    ],
)
def test_valid_answer_is_read(answer: Any, body: bytes, value: object) -> None:  # noqa: ANN401 - any type
    assert build(answer)(body) == Ok(value)


@pytest.mark.parametrize("body", [b'["1"]', b"[1.0]", b"[true]"])
def test_config_of_adapter_is_kept(body: bytes) -> None:
    strict = AnswerValidator(TypeAdapter(list[int], config=ConfigDict(strict=True)))

    assert isinstance(strict(body), Err)
    assert isinstance(AnswerValidator(TypeAdapter(list[int]), strict=True)(body), Err)
    assert AnswerValidator(TypeAdapter(list[int]))(body) == Ok([1])


@pytest.mark.parametrize("answer", [Extra, Closed])
def test_many_errors_are_counted(answer: Any) -> None:  # noqa: ANN401 - any type
    """Where the first error does not end the validation, the errors are not described."""
    result = build(answer)(MAPPING)

    assert isinstance(result, Err)
    assert result.error.summary.endswith("000 invalid values")


@pytest.mark.parametrize(
    ("answer", "body"), [(list[int] | list[bool], LIST), (dict[str, int] | dict[str, bool], MAPPING)]
)
def test_each_type_of_a_union_stops_at_its_first_error(answer: Any, body: bytes) -> None:  # noqa: ANN401 - any type
    result = build(answer)(body)

    assert isinstance(result, Err)
    assert result.error.quoted.count("; ") == 1


def test_first_errors_of_fields_are_described() -> None:
    result = build(Line)(b"{}")

    assert result == Err(Reason("number: Field required", "number: Field required"))


class Late(BaseModel):
    later: "list[Later]"  # type: ignore[name-defined] # noqa: F821


def test_type_defined_later_is_validated() -> None:
    validate = build(Late)

    class Later(BaseModel):
        number: int

    Late.model_rebuild(_types_namespace={"Later": Later})
    assert validate(b'{"later": [{"number": 1}]}') == Ok(Late(later=[Later(number=1)]))


class LateItem(BaseModel):
    later: "list[LaterItem | None]"  # type: ignore[name-defined] # noqa: F821


def test_type_defined_later_stops_at_first_error() -> None:
    validate = build(LateItem)

    class LaterItem(BaseModel):
        number: int
        code: str | None

    LateItem.model_rebuild(_types_namespace={"LaterItem": LaterItem})
    result = validate(wrap("later", LIST))

    assert isinstance(result, Err)
    assert "; " not in result.error.summary
    assert validate(b'{"later": [{"number": 1}]}') == Ok(LateItem(later=[LaterItem(number=1, code=None)]))
