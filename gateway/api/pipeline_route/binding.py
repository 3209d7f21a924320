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
"""Name of a generated endpoint's request parameter, chosen to differ from the pipeline's parameters."""


@final
@dataclass(frozen=True, slots=True)
class BoundPipeline:
    """A pipeline with its *services*; a request supplies the other *parameters* (types by name)."""

    pipeline: Pipeline[..., object, Failure]
    services: Mapping[str, object]
    parameters: Mapping[str, Any]
    returns: Any
    is_commit_declared: bool
    """True if the pipeline may commit: its run promises `Stuck`."""

    def run(
        self, context: RunContext, /, *args: object, **kwargs: object
    ) -> Awaitable[Result[object, Failure]]:
        """Run the pipeline once in *context* with these arguments and its services; return its result.

        *args* are the values of `parameters`, in their order, without the services.
        """
        supplied = {**dict(zip(self.parameters, args, strict=False)), **kwargs}
        if len(supplied) < len(args) + len(kwargs):
            names = ", ".join(self.parameters)
            takes = f"{names}: too many arguments, or one given twice" if names else "no arguments"
            msg = f"{self.pipeline.name} takes {takes}"
            raise TypeError(msg)
        return self.pipeline.on(context)(**supplied, **self.services)

    def build_example_arguments(self, route: Route) -> Mapping[str, object]:
        """Return arguments for a dry run: from *route*'s example, otherwise from the examples of their types.

        Raise `RegistrationError` if the pipeline has no parameter for the example, and `NoExampleError` if an
        argument has no example.
        """
        given = self._name_examples(route)
        return {
            name: given[name] if name in given else _build_example(name, annotation)
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
                kind = type(example).__name__
                msg = f"{route}: the example is a {kind}, but {self.pipeline.name} has no such parameter"
                raise RegistrationError(msg)
            return given
        if unknown := (example or {}).keys() - self.parameters.keys():
            names = ", ".join(sorted(unknown))
            msg = f"{route}: the example has {names}, but {self.pipeline.name} has no such parameter"
            raise RegistrationError(msg)
        return example or {}


def _build_example(name: str, annotation: Any) -> object:  # noqa: ANN401 - a type form
    try:
        return build_example(TypeAdapter[object](annotation))
    except NoExampleError as error:
        msg = f"no example for {name}: {error}"
        raise NoExampleError(msg) from error


def bind(route: Route, services: Mapping[str, object]) -> BoundPipeline:
    """Bind the parameters of *route*'s pipeline to *services*, by class.

    Raise `RegistrationError` if two services have the class of a parameter, if an annotation is missing or
    cannot be resolved, or if neither a service nor a request can supply a parameter.
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


def build_endpoint(
    route: Route, method: str, bound: BoundPipeline, request: type[object], verb: str
) -> Endpoint:
    """Return an endpoint that calls the method *verb* of its request with the path parameters and the body.

    *method* is the route's method, *request* the class of the request. Raise `RegistrationError` if the
    pipeline has more than one parameter for the body, or any under GET or DELETE, which have no body.
    """
    in_path = list_path_parameters(route)
    others = [name for name in bound.parameters if name not in in_path]
    if len(others) > 1 or (others and method in _WITHOUT_BODY):
        names = ", ".join(others)
        msg = (
            f"{route}: a request cannot supply {names} of {bound.pipeline.name}: it has path parameters and,"
            " except with GET and DELETE, one body; for anything else use Route(endpoint=...)"
        )
        raise RegistrationError(msg)

    async def endpoint(**arguments: object) -> Response:
        respond: Callable[..., Awaitable[Response]] = getattr(arguments.pop(_REQUEST), verb)
        return await respond(**arguments)

    annotations = {
        **{name: _document_parameter(bound.parameters[name]) for name in bound.parameters if name in in_path},
        **{name: bound.parameters[name] for name in others},
        _REQUEST: request,
    }
    endpoint.__name__ = f"{method.lower()}_{bound.pipeline.name}"
    endpoint.__doc__ = bound.pipeline.function.__doc__
    endpoint.__annotations__ = {**annotations, "return": Response}
    parameters = [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotations[name]) for name in annotations
    ]
    # Type checkers refuse a plain assignment: they know no such attribute of functions.
    setattr(endpoint, "__signature__", Signature(parameters, return_annotation=Response))  # noqa: B010
    return endpoint


def _list_bases(service: object) -> Sequence[object]:
    return type(service).__mro__


def _find_service(
    route: Route, parameter: str, annotation: object, services: Mapping[str, object]
) -> str | None:
    """Return the name of the service of class *annotation*, or None if no service has this class."""
    if annotation is object:
        return None
    found = [name for name, service in services.items() if annotation in _list_bases(service)]
    if len(found) > 1:
        names = " and ".join(map(repr, found))
        msg = (
            f"{route}: {parameter} of {route.pipeline.name} is ambiguous: services {names} have its class;"
            " use a separate class for each service"
        )
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
    """Return *annotation* as a path parameter, with the description and examples in its `Field` metadata."""
    fields = [*_list_fields(annotation)]
    description = next((field.description for field in fields if field.description), None)
    examples = next((field.examples for field in fields if field.examples), None)
    return Annotated[annotation, Path(description=description, examples=examples)]


def _list_fields(annotation: object) -> Iterator[FieldInfo]:
    for data in getattr(annotation, "__metadata__", ()):
        if isinstance(data, FieldInfo):
            yield data
