"""Types of a service's operations, and misuse that both checkers must report; checked, but never run."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Never, assert_type

from pydantic import BaseModel, TypeAdapter

from gateway import NO_CONTENT, Chunks, ReadOperation, RequestParts, ServiceClient, WriteOperation
from gateway.railway import Call, Conflict, Gone, Key, NotFound, Undo, UpstreamFault, Write


class Place(BaseModel):
    name: str


class Colour(Enum):
    RED = "red"


def check_declared_types(client: ServiceClient, undo: Undo) -> None:
    assert_type(client.get("a.b", "/", answer=Place), ReadOperation[Place, Never])
    assert_type(client.get("a.b", "/", answer=list[Place]), ReadOperation[list[Place], Never])
    assert_type(client.get("a.b", "/", answer=dict[str, Place]), ReadOperation[dict[str, Place], Never])
    assert_type(client.get("a.b", "/", answer=TypeAdapter(Place | None)), ReadOperation[Place | None, Never])
    assert_type(client.delete("a.b", "/", answer=NO_CONTENT), ReadOperation[None, Never])
    assert_type(client.put("a.b", "/", answer=int, declared={404: NotFound}), ReadOperation[int, NotFound])
    assert_type(client.write.patch("a.b", "/", answer=int, undo=undo), WriteOperation[int, Never])
    assert_type(client.get("a.b", "/", answer=list[Place], chunk="id"), ReadOperation[list[Place], Never])
    assert_type(
        client.get("a.b", "/", answer=Place, chunk=Chunks("id", join=lambda places: places[0])),
        ReadOperation[Place, Never],
    )
    assert_type(
        client.write.delete("a.b", "/", answer=int, undo=None, declared={410: Gone}),
        WriteOperation[int, Gone],
    )


def check_calls(read: ReadOperation[Place, NotFound], write: WriteOperation[Place, Conflict]) -> None:
    call = assert_type(read(name="a"), Call[Place, NotFound | UpstreamFault])
    fitting = assert_type(read(fits=lambda place: place.name == "a"), Call[Place, NotFound | UpstreamFault])
    made = assert_type(
        write({}, fits=lambda place: place.name == "a"), Write[Place, Conflict | UpstreamFault]
    )
    _ = (call, fitting, made)


def check_undeclared_failures(read: ReadOperation[Place, Never]) -> Call[Place, UpstreamFault]:
    return read()


def check_annotated_failures(client: ServiceClient) -> ReadOperation[Place, NotFound | Conflict]:
    operation: ReadOperation[Place, NotFound | Conflict] = client.get(
        "a.b", "/", answer=Place, declared={404: NotFound, 409: Conflict}
    )
    return operation


def check_parameters(read: ReadOperation[Place, Never], names: list[str], counts: dict[str, int]) -> None:
    _ = read(query={"a": "b", "c": 1, "d": True, "e": Decimal(1), "f": date.min, "g": Colour.RED, "h": None})
    _ = read(query={"name": names, "ids": (1, 2), "colours": [Colour.RED], "limit": 10, "text": "a"})
    _ = read(query=counts)
    _ = read(query=[("a", 1), ("a", "b")])
    _ = read(form={"a": 1})
    _ = read(form=Place(name="a"))
    _ = read([Place(name="a")])


def omit_declared_failure(read: ReadOperation[Place, NotFound]) -> Call[Place, UpstreamFault]:
    return read()  # type: ignore[return-value]


def declare_undeclared_failure(client: ServiceClient) -> ReadOperation[Place, NotFound]:
    return client.get("a.b", "/", answer=Place, declared={409: Conflict})  # type: ignore[dict-item]


def misuse_declarations(client: ServiceClient) -> None:
    client.get("a.b", ("a", "b"), answer=Place)  # type: ignore[call-overload]
    client.get("a.b", "/")  # type: ignore[call-overload]
    client.get("a.b", "/", answer=Place, declared={404: KeyError})  # type: ignore[type-var]
    client.write.post("a.b", "/", answer=Place)  # type: ignore[call-overload]


def misuse_calls(read: ReadOperation[Place, Never]) -> None:
    _ = read(query=3)  # type: ignore[arg-type]
    _ = read(id=b"a")  # type: ignore[arg-type]
    _ = read(fits=lambda place: place.size == 1)  # type: ignore[attr-defined]
    _ = read(headers={"a": 1})  # type: ignore[dict-item]
    _ = read({}, {})  # type: ignore[call-arg]


class Charge(BaseModel):
    id: str


def check_undos(client: ServiceClient, find: Callable[[Key], Call[Charge | None, NotFound]]) -> None:
    assert_type(client.undo.delete("a.b", "/{key}"), Undo)
    assert_type(client.undo.post("a.b", "/", request=lambda key: RequestParts(body=key.upper())), Undo)
    refund = client.undo.post(
        "a.b", "/", find=find, request=lambda charge: RequestParts(form={"charge": charge.id})
    )
    assert_type(refund, Undo)
    assert_type(client.undo.patch("a.b", "/{id}", find=find, success={200}), Undo)
    assert_type(client.undo.delete("a.b", "/{key}", gone={404, 410}, refusals="any"), Undo)


def misuse_undos(client: ServiceClient, find: Callable[[Key], Call[Charge | None, NotFound]]) -> None:
    client.undo.post("a.b", "/", request=lambda charge: RequestParts(body=charge.id))  # type: ignore[attr-defined]
    client.undo.post("a.b", "/", find=find, request=lambda charge: RequestParts(body=charge.name))  # type: ignore[attr-defined]
    client.undo.post("a.b", "/", find=find, request=lambda charge: charge.id)  # type: ignore[arg-type, return-value]
    client.undo.delete("a.b", "/", find=client)  # type: ignore[call-overload]
