"""Validation of answers, which is lenient where the type allows it, and stops at the first error.

pydantic collects every error: a body of 1 MB can have half a million, which take 444 MB and half a second.
"""

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Final, Generic, TypeVar, cast, final

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import CoreConfig, CoreSchema, SchemaValidator, core_schema

from gateway.client.answers.body import replace_lone_surrogates
from gateway.client.answers.core_schemas import Node, change_nodes, list_nodes
from gateway.client.answers.leniency import IS_TEXT
from gateway.observability.reason import Reason, describe_invalid
from gateway.railway import Err, Ok, Result

__all__ = ("AnswerValidator",)

T = TypeVar("T")

_MAX_ERRORS_READ: Final = 100
_COLLECTIONS: Final = frozenset(
    {"counter", "deque", "dict", "frozendict", "frozenset", "list", "ordered-dict", "set", "tuple"}
)
_FIELDS: Final = ("model-field", "dataclass-field", "named-tuple-field", "typed-dict-field")
_WRAPPERS: Final = ("function-before", "function-after", "function-wrap")
_WITHOUT_REPLACEMENT: Final = r"^[^\uFFFD]*$"


@final
class AnswerValidator(Generic[T]):
    r"""Validator of JSON bodies, which validates them as *adapter* does, with these differences.

    - It stops at the first invalid item of each list, tuple or set, and at the first invalid entry of each
      mapping. (pydantic cannot stop at the fields that a model allows or forbids without naming them.)
    - A field that may be null may be absent, and is then None.
    - Lone surrogates, such as `"\ud800"`, are errors only in the strings that are read, except `Text`.

    *strict* is the strictness of the whole type (see pydantic's strict mode); None for that of its parts.
    """

    def __init__(
        self, adapter: TypeAdapter[T], *, strict: bool | None = None, has_replacements: bool = False
    ) -> None:
        self._adapter = adapter
        self._strict = strict
        self._has_replacements = has_replacements
        try:
            self._validate: Callable[[bytes], T] = self._compile()
        except PydanticUserError:  # the type refers to a class that is not defined yet
            self._validate = self._validate_first

    def __call__(self, body: bytes) -> Result[T, Reason]:
        """Return the value of *body*, or the reason why the body is unusable."""
        try:
            return Ok(self._validate(body))
        except ValidationError as error:
            return self._repair(body, error)

    def _validate_first(self, body: bytes) -> T:
        """Validate the first *body* of a type that had undefined classes when the validator was made."""
        self._validate = self._compile()
        return self._validate(body)

    def _repair(self, body: bytes, error: ValidationError) -> Result[T, Reason]:
        """Validate *body* again without its lone surrogates, if it has any."""
        if not self._has_replacements and (repaired := replace_lone_surrogates(body)) != body:
            return self._with_replacements(repaired)
        return Err(self._describe(error))

    def _describe(self, error: ValidationError) -> Reason:
        if (count := error.error_count()) > _MAX_ERRORS_READ:
            return Reason(f"{count} invalid values")
        return describe_invalid(error, self._adapter)

    @cached_property
    def _with_replacements(self) -> "AnswerValidator[T]":
        return AnswerValidator(self._adapter, strict=self._strict, has_replacements=True)

    def _change_schema(self) -> object:
        schema: Node = dict(cast("Mapping[str, object]", self._adapter.core_schema))
        nullable = _find_nullable_definitions(schema)
        changes: list[Callable[[Node], Node]] = [_stop_at_first_error, partial(_allow_absent, nullable)]
        if self._has_replacements:
            changes.append(_refuse_replacements)
        changed: object = schema
        for change in changes:
            changed = change_nodes(changed, change)
        return changed

    def _compile(self) -> Callable[[bytes], T]:
        schema = self._change_schema()
        validator = self._adapter.validator
        # `__reduce__`, the protocol of pickle, is the only public way to the config of a `TypeAdapter`.
        arguments = validator.__reduce__()[1] if isinstance(validator, SchemaValidator) else ()
        config = cast("tuple[object, CoreConfig | None]", (*arguments, None, None)[:2])[1]
        # Without `_use_prebuilt`, pydantic takes the validators that model classes have already.
        changed = SchemaValidator(cast("CoreSchema", schema), config, _use_prebuilt=False)
        # Sound: the validators of a `TypeAdapter[T]` return a `T`.
        validate: object = changed.validate_json
        if self._strict is not None:
            validate = partial(changed.validate_json, strict=self._strict)
        return cast("Callable[[bytes], T]", validate)


def _stop_at_first_error(node: Node) -> Node:
    return {**node, "fail_fast": True} if node.get("type") in _COLLECTIONS else node


def _allow_absent(nullable: set[str], node: Node) -> Node:
    """Return *node*, with None as its default if it is a field that may be null.

    *nullable* has the references to definitions that may be null.
    """
    if node.get("type") not in _FIELDS or not _is_nullable(node["schema"], nullable):
        return node
    optional: Node = {"required": False} if node["type"] == "typed-dict-field" else {}
    schema = core_schema.with_default_schema(cast("CoreSchema", node["schema"]), default=None)
    return {**node, **optional, "schema": schema}


def _find_nullable_definitions(schema: Node) -> set[str]:
    """Return the references to the definitions in *schema* that may be null, also by other definitions."""
    nodes, nullable = [node for node in list_nodes(schema) if "ref" in node], set[str]()
    while found := {str(node["ref"]) for node in nodes if _is_nullable(node, nullable)} - nullable:
        nullable |= found
    return nullable


def _is_nullable(schema: object, nullable: set[str] | None = None) -> bool:
    node = cast("Node", schema)
    match node.get("type"):
        case "nullable":
            return True
        case "definition-ref":
            return node["schema_ref"] in (nullable or ())
        case "none":
            return True
        case "literal":
            return None in cast("list[object]", node["expected"])
        case "union":
            return any(_is_nullable(choice, nullable) for choice in cast("list[object]", node["choices"]))
        case kind:
            return kind in _WRAPPERS and _is_nullable(node["schema"], nullable)


def _refuse_replacements(node: Node) -> Node:
    """Refuse U+FFFD, which stands for a lone surrogate, in the strings that are read, except `Text`."""
    is_text = IS_TEXT in cast("Node", node.get("metadata") or {})
    if node.get("type") != "str" or is_text:
        return node
    if "pattern" not in node:
        return {**node, "pattern": _WITHOUT_REPLACEMENT}
    schema = core_schema.chain_schema(
        [cast("CoreSchema", node), core_schema.str_schema(pattern=_WITHOUT_REPLACEMENT)]
    )
    return cast("Node", schema)
