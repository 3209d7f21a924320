"""Fields of answers that may be absent, unusable, or a word that is not known yet."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, NamedTuple, NotRequired

import pytest
from pydantic import BaseModel, Field, TypeAdapter, create_model
from pydantic_core import to_json
from typing_extensions import TypeAliasType, TypedDict

from gateway.client.answers.body import replace_lone_surrogates
from gateway.client.answers.leniency import OrNone, Text, unknown
from gateway.client.answers.validation import AnswerValidator
from gateway.client.examples import build_example
from gateway.client.models import UpstreamResponse
from gateway.railway import Err, Ok
from gateway.services.money import Money


class Colour(StrEnum):
    RED = "red"
    UNKNOWN = "unknown"


Size = Annotated[Literal["small", "large", "other"], unknown("other")]


class Lamp(UpstreamResponse):
    colour: Annotated[Colour, unknown(Colour.UNKNOWN)] = Field(examples=["red"])
    size: Size
    closed: Literal["on", "off"]


def validate(answer: Any, body: bytes) -> object:  # noqa: ANN401 - any type
    return AnswerValidator(TypeAdapter[Any](answer))(body)


@pytest.mark.parametrize("word", ["blue", "RED", "", "r\xe9d", "unknown"])
def test_unknown_word_is_the_declared_member(word: str) -> None:
    body = to_json({"colour": word, "size": word, "closed": "on"})

    assert validate(Lamp, body) == Ok(Lamp(colour=Colour.UNKNOWN, size="other", closed="on"))


def test_known_word_stays_itself() -> None:
    body = b'{"colour": "red", "size": "large", "closed": "off"}'

    assert validate(Lamp, body) == Ok(Lamp(colour=Colour.RED, size="large", closed="off"))


LAMP: Final = {"colour": "red", "size": "large", "closed": "off"}


@pytest.mark.parametrize("value", [3, None, True, ["red"], {}])
@pytest.mark.parametrize("name", ["colour", "size"])
def test_enumeration_reads_only_strings(name: str, value: object) -> None:
    assert isinstance(validate(Lamp, to_json(LAMP)), Ok)
    assert isinstance(validate(Lamp, to_json({**LAMP, name: value})), Err)


def test_enumeration_without_unknown_member_is_closed() -> None:
    assert isinstance(validate(Lamp, b'{"colour": "red", "size": "small", "closed": "dimmed"}'), Err)


@pytest.mark.parametrize("name", ["colour", "size"])
def test_enumeration_must_be_present(name: str) -> None:
    rest = {key: value for key, value in LAMP.items() if key != name}

    assert isinstance(validate(Lamp, to_json(rest)), Err)


def test_example_of_enumeration_is_a_known_word() -> None:
    assert build_example(TypeAdapter(Size)) == "small"
    assert TypeAdapter(Size).json_schema()["enum"] == ["small", "large", "other"]


class Model(BaseModel):
    code: str | None
    count: Annotated[int, Field(ge=0)] | None
    mixed: int | str | None
    nested: "Model | None"


@dataclass
class Data:
    code: str | None
    text: str = field(default="a")


class Typed(TypedDict):
    code: str | None
    text: NotRequired[str]


class Named(NamedTuple):
    code: str | None


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (Model, Model(code=None, count=None, mixed=None, nested=None)),
        (Data, Data(code=None)),
        (Typed, {"code": None}),
        (Named, Named(code=None)),
    ],
)
def test_nullable_field_may_be_absent(answer: Any, value: object) -> None:  # noqa: ANN401 - any type
    assert validate(answer, b"{}") == Ok(value)
    assert validate(list[answer], b"[{}, {}]") == Ok([value, value])


Alias = TypeAliasType("Alias", "str | None")
SecondAlias = TypeAliasType("SecondAlias", "Alias")


@pytest.mark.parametrize(
    "annotation",
    [
        pytest.param(None, id="None"),
        pytest.param(Literal["a", None], id="Literal with None"),  # noqa: PYI061 - another core schema
        pytest.param(Annotated[Literal["a", "other"] | None, unknown("other")], id="unknown"),
        pytest.param(Alias, id="alias"),
        pytest.param(SecondAlias, id="alias of an alias"),
        pytest.param(Alias | int, id="union with an alias"),
        pytest.param(int | Annotated[str | None, Field(max_length=3)], id="union with a nullable"),
    ],
)
def test_every_form_of_nullable_field_may_be_absent(annotation: Any) -> None:  # noqa: ANN401 - any type
    model: Any = create_model("Form", code=(annotation, ...), other=(annotation, ...))

    assert validate(model, b"{}") == Ok(model(code=None, other=None))


@pytest.mark.parametrize("body", [b'{"code": 3}', b'{"count": -1}', b'{"nested": {"code": []}}'])
def test_nullable_field_that_is_present_is_checked(body: bytes) -> None:
    assert isinstance(validate(Model, body), Err)


class Strict(BaseModel):
    code: str
    anything: object


@pytest.mark.parametrize(
    "body", [b"{}", b'{"code": "a"}', b'{"anything": 1}', b'{"code": null, "anything": 1}']
)
def test_other_field_must_be_present(body: bytes) -> None:
    assert isinstance(validate(Strict, body), Err)


class Note(UpstreamResponse):
    note_id: str
    text: Text


class Entry(UpstreamResponse):
    entry_id: str
    amount: OrNone[Money]
    tags: OrNone[tuple[str, ...]]


@pytest.mark.parametrize(
    "members",
    [
        b"",
        b', "amount": 3',
        b', "amount": "1.001", "tags": 7',
        b', "amount": null, "tags": ["a", 3]',
        b', "tags": {}',
    ],
)
def test_unusable_value_that_is_not_read_is_none(members: bytes) -> None:
    assert validate(Entry, b'{"entry_id": "a"%s}' % members) == Ok(
        Entry(entry_id="a", amount=None, tags=None)
    )


@pytest.mark.parametrize("members", [b"", b', "text": null', b', "text": 3', b', "text": ["a"]'])
def test_text_that_is_none_is_empty(members: bytes) -> None:
    assert validate(Note, b'{"note_id": "n"%s}' % members) == Ok(Note(note_id="n", text=""))


def test_field_beside_an_unusable_value_stays_strict() -> None:
    assert isinstance(validate(Entry, b'{"entry_id": 3, "amount": 3}'), Err)


LONE: Final = [rb"a\ud800", rb"\udfffa", rb"\uD83D\uD83D", rb"\ude00\ud83d"]


@pytest.mark.parametrize("text", LONE)
def test_lone_surrogate_in_text_is_replaced(text: bytes) -> None:
    result = AnswerValidator(TypeAdapter(Note))(b'{"note_id": "n", "text": "%s"}' % text)

    assert isinstance(result, Ok)
    assert "\ufffd" in result.value.text


@pytest.mark.parametrize("text", LONE)
def test_lone_surrogate_in_other_string_is_refused(text: bytes) -> None:
    assert isinstance(validate(Note, b'{"note_id": "%s", "text": "t"}' % text), Err)
    assert isinstance(validate(dict[str, str], b'{"%s": "t"}' % text), Err)
    assert isinstance(validate(list[Annotated[str, Field(pattern=".+")]], b'["%s"]' % text), Err)


@pytest.mark.parametrize("pattern", ["^[a-z]+$", ".+"])
def test_string_with_pattern_stays_valid_beside_lone_surrogate(pattern: str) -> None:
    answer = TypedDict("answer", {"code": Annotated[str, Field(pattern=pattern)]})  # noqa: UP013 - one of two

    assert validate(answer, rb'{"code": "abc", "other": "\ud800"}') == Ok({"code": "abc"})
    assert isinstance(validate(answer, rb'{"code": "A\ud800"}'), Err)


@pytest.mark.parametrize(
    ("escapes", "expected"),
    [
        (rb"\ud83d\ude00", rb"\ud83d\ude00"),
        (rb"\uD83D\uD83D\uDE00\uDE00", rb"\ufffd\uD83D\uDE00\ufffd"),
        (rb"\ud83da\ude00", rb"\ufffda\ufffd"),
        (rb"\\ud800", rb"\\ud800"),
        (rb"\\\ud800\\", rb"\\\ufffd\\"),
        (rb"\ud83d\\ude00", rb"\ufffd\\ude00"),
        (b"\0\\ud800", b"\0\\ud800"),
    ],
)
def test_pairs_and_escaped_backslashes_are_kept(escapes: bytes, expected: bytes) -> None:
    assert replace_lone_surrogates(escapes) == expected


def test_lone_surrogate_after_many_escapes_is_replaced() -> None:
    escapes = rb"\n\\ud800\ud83d\ude00a\u0041" * 10_000

    assert replace_lone_surrogates(escapes + rb"\ud800" + escapes) == escapes + rb"\ufffd" + escapes


def test_text_with_escapes_keeps_them() -> None:
    r"""A lone surrogate does not change its neighbours: `\\ud800` is a backslash and a word."""
    body = rb'{"note_id": "n", "text": "\\ud800 \ud83d\ude00 \"\u00e9\" \ud800"}'

    assert validate(Note, body) == Ok(Note(note_id="n", text='\\ud800 \U0001f600 "\xe9" \ufffd'))


def test_replacement_character_of_service_is_kept() -> None:
    assert validate(Note, '{"note_id": "\ufffd", "text": ""}'.encode()) == Ok(Note(note_id="\ufffd", text=""))
