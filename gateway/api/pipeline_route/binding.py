"""Binding of a pipeline to its services, and of its other parameters to parts of the request."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, Final, final, get_type_hints

from fastapi import Path
from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.fields import FieldInfo
from starlette.responses import Response
from starlette.routing import compile_path

from gateway.api.pipeline_route.registration import Endpoint, RegistrationError, Route
from gateway.client.examples import NoExampleError, build_example
from gateway.railway import Failure, Pipeline, Result, RunContext, Stuck

__all__ = ("BoundPipeline", "bind", "build_endpoint", "list_path_parameters")

_WITHOUT_BODY: Final = frozenset({"GET", "DELETE"})
_REQUEST: Final = "gateway_request"
"""Name of a generated endpoint's own parameter, chosen to differ from the pipeline's parameters."""


@final
@dataclass(frozen=True, slots=True)
class BoundPipeline:
    """A pipeline with its *services*; a request supplies the other *parameters*, types by name."""

    pipeline: Pipeline[..., object, Failure]
    services: Mapping[str, object]
    parameters: Mapping[str, Any]
    returns: Any
    writes: bool
    """Whether the pipeline commits: its run promises `Stuck`."""

    def run(
        self, context: RunContext, /, *args: object, **kwargs: object
    ) -> Awaitable[Result[object, Failure]]:
        """Run the pipeline once in *context* with these arguments and its services; return its result.

        *args* are the values of `parameters`, in their order, wherever the services stand.
        """
        supplied = {**dict(zip(self.parameters, args, strict=False)), **kwargs}
        if len(supplied) < len(args) + len(kwargs):
            msg = f"{self.pipeline.name} takes {', '.join(self.parameters) or 'no arguments'}, each once"
            raise TypeError(msg)
        return self.pipeline.on(context)(**supplied, **self.services)

    def build_example_arguments(self, route: Route) -> Mapping[str, object]:
        """Return arguments for a dry run: those of *route*'s example, and otherwise examples of their types.

        Raise `RegistrationError` for an example that the pipeline does not take, and where there is none.
        """
        given = self._name_examples(route)
        return {
            name: given[name] if name in given else self._build_example(route, name, annotation)
            for name, annotation in self.parameters.items()
        }

    def _name_examples(self, route: Route) -> Mapping[str, object]:
        """Return *route*'s example as arguments by name."""
        example = route.example
        if isinstance(example, BaseModel):
            given: Mapping[str, object] = {
                name: example for name, annotation in self.parameters.items() if annotation is type(example)
            }
            if not given:
                msg = f"{route}: {self.pipeline.name} takes no {type(example).__name__}, which is the example"
                raise RegistrationError(msg)
            return given
        if unknown := (example or {}).keys() - self.parameters.keys():
            names = ", ".join(sorted(unknown))
            msg = f"{route}: {self.pipeline.name} does not take {names} of the example"
            raise RegistrationError(msg)
        return example or {}

    def _build_example(self, route: Route, name: str, annotation: Any) -> object:  # noqa: ANN401 - a type form
        try:
            return build_example(TypeAdapter[object](annotation))
        except NoExampleError as error:
            msg = (
                f"{route}: no example for {name} of {self.pipeline.name}: {error}; give its type one,"
                " such as Field(examples=[...]), or use Route(example=...)"
            )
            raise RegistrationError(msg) from error


def bind(route: Route, services: Mapping[str, object]) -> BoundPipeline:
    """Resolve those parameters of *route*'s pipeline whose annotation is the class of one of *services*.

    Raise `RegistrationError` if a class is that of two services, if an annotation is missing or cannot be
    resolved, or if a parameter is neither a service nor something that a request can supply.
    """
    function = route.pipeline.function
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        msg = f"{route}: cannot resolve the annotations of {route.pipeline.name}: {error}"
        raise RegistrationError(msg) from error
    _, *names = signature(function).parameters
    for name in (*names, "return"):
        if name not in hints:
            msg = f"{route}: {route.pipeline.name} has no annotation for {name}"
            raise RegistrationError(msg)
    found = {name: _find_service(route, name, hints[name], services) for name in names}
    bound = BoundPipeline(
        route.pipeline,
        {name: services[service] for name, service in found.items() if service is not None},
        {name: hints[name] for name, service in found.items() if service is None},
        hints["return"],
        Stuck in route.pipeline.promised,
    )
    _refuse_unknown_classes(route, bound, services)
    return bound


def build_endpoint(route: Route, bound: BoundPipeline, request: type[object], verb: str) -> Endpoint:
    """Return an endpoint that passes path parameters and the body to *verb* of its *request*, a class.

    Raise `RegistrationError` if more than one parameter is left for the body, or any for GET and DELETE.
    """
    in_path = list_path_parameters(route)
    others = [name for name in bound.parameters if name not in in_path]
    if len(others) > 1 or (others and route.method in _WITHOUT_BODY):
        names = ", ".join(others)
        msg = f"{route}: a request cannot supply {names} of {bound.pipeline.name}; register an endpoint"
        raise RegistrationError(msg)

    async def endpoint(**arguments: object) -> Response:
        respond: Callable[..., Awaitable[Response]] = getattr(arguments.pop(_REQUEST), verb)
        return await respond(**arguments)

    annotations = {
        **{name: _document_parameter(bound.parameters[name]) for name in bound.parameters if name in in_path},
        **{name: bound.parameters[name] for name in others},
        _REQUEST: request,
    }
    endpoint.__name__ = f"{route.method.lower()}_{bound.pipeline.name}"
    endpoint.__doc__ = bound.pipeline.function.__doc__
    endpoint.__annotations__ = {**annotations, "return": Response}
    parameters = [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotations[name]) for name in annotations
    ]
    # A plain assignment is refused by type checkers: functions have no such attribute for them.
    setattr(endpoint, "__signature__", Signature(parameters, return_annotation=Response))  # noqa: B010
    return endpoint


def _list_bases(service: object) -> Sequence[object]:
    return type(service).__mro__


def _find_service(
    route: Route, parameter: str, annotation: object, services: Mapping[str, object]
) -> str | None:
    """Return the name of the service that is of the class *annotation*, or None if there is none."""
    if annotation is object:
        return None
    found = [name for name, service in services.items() if annotation in _list_bases(service)]
    if len(found) > 1:
        names = " and ".join(map(repr, found))
        msg = f"{route}: {parameter} of {route.pipeline.name} is ambiguous: services {names} are of its class"
        raise RegistrationError(msg)
    return found[0] if found else None


def _refuse_unknown_classes(route: Route, bound: BoundPipeline, services: Mapping[str, object]) -> None:
    for name, annotation in bound.parameters.items():
        try:
            TypeAdapter(annotation)
        except PydanticSchemaGenerationError as error:
            kind = getattr(annotation, "__name__", annotation)
            known = ", ".join(f"{name}: {type(service).__name__}" for name, service in services.items())
            msg = (
                f"{route}: no service of class {kind} is registered for {name} of {bound.pipeline.name}"
                f" (registered: {known or 'none'})"
            )
            raise RegistrationError(msg) from error


def list_path_parameters(route: Route) -> frozenset[str]:
    """Return the names of the parameters in *route*'s path."""
    _, _, convertors = compile_path(route.path)
    return frozenset(convertors)


def _document_parameter(annotation: Any) -> Any:  # noqa: ANN401 - a type form, which has no type of its own before PEP 747
    """Return *annotation* with the description and examples of its fields as those of a path parameter."""
    fields = [*_list_fields(annotation)]
    description = next((field.description for field in fields if field.description), None)
    examples = next((field.examples for field in fields if field.examples), None)
    return Annotated[annotation, Path(description=description, examples=examples)]


def _list_fields(annotation: object) -> Iterator[FieldInfo]:
    for data in getattr(annotation, "__metadata__", ()):
        if isinstance(data, FieldInfo):
            yield data
