"""Reads in chunks: request lines within the limit, answers joined in order, failures of the first chunk."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, TypeAdapter
from typing_extensions import override

from gateway import Chunks
from gateway.client.chunks import choose_join, split_pairs
from gateway.client.operations.parameters import encode_pairs
from gateway.client.service_client import ServiceClient
from gateway.railway import BadAnswer, Call, Err, Failure, NotFound, Ok, Result, Unavailable, change_context
from gateway.resilience.terms import ConcurrencyTerms, PolicyTerms
from tests.client.scripted_service import UNUSABLE
from tests.service_clients import service_client

MOST_OCTETS: Final = 8000
MOST_OF_CHUNK: Final = 6000
IDS: Final = tuple(f"user-{number:06}" for number in range(6000))


class Directory(httpx.AsyncBaseTransport):
    """Service that answers with the ids in its query; *statuses* are those of its first requests."""

    def __init__(self, *statuses: int, seconds: Sequence[float] = (), as_dict: bool = False) -> None:
        self.statuses = statuses
        self.seconds = seconds
        self.as_dict = as_dict
        self.lines: list[str] = []
        self.in_flight = self.most_in_flight = 0

    @property
    def ids(self) -> Sequence[Sequence[str]]:
        """Return the ids in each request."""
        return [httpx.QueryParams(line.split()[1].partition("?")[2]).get_list("id") for line in self.lines]

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        position = len(self.lines)
        self.lines.append(f"{request.method} {request.url.raw_path.decode()} HTTP/1.1\r\n")
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.seconds[position] if position < len(self.seconds) else 0.05)
        finally:
            self.in_flight -= 1
        status = self.statuses[position] if position < len(self.statuses) else 200
        found = request.url.params.get_list("id")
        return httpx.Response(status, json=dict.fromkeys(found, 1) if self.as_dict else found)


def connect(directory: Directory, max_concurrency: int = 200) -> ServiceClient:
    terms = PolicyTerms(ConcurrencyTerms(max_concurrency))
    return service_client("things", "http://things.test/api", directory, terms=terms)


def find(
    directory: Directory,
    ids: Sequence[str],
    *,
    chunk: str | Chunks[tuple[str, ...]] | None = "id",
    max_concurrency: int = 200,
    **query: object,
) -> Call[tuple[str, ...], Failure]:
    operation = connect(directory, max_concurrency).get(
        "things.find", "/things", answer=tuple[str, ...], declared={404: NotFound}, chunk=chunk
    )
    return operation(query={"id": ids, **query})


async def test_short_list_is_one_request() -> None:
    directory = Directory()

    assert await find(directory, IDS[:3], kind="a") == Ok(IDS[:3])
    assert directory.lines == [
        "GET /api/things?id=user-000000&id=user-000001&id=user-000002&kind=a HTTP/1.1\r\n"
    ]


@pytest.mark.parametrize("count", [0, 1, 300, 398, 399, 400, 1100, 4000, 6000])
async def test_chunks_leave_room_for_headers(count: int) -> None:
    directory = Directory()

    assert await find(directory, IDS[:count]) == Ok(IDS[:count])
    assert max(map(len, directory.lines)) <= MOST_OF_CHUNK


async def test_request_lines_are_nearly_full() -> None:
    directory = Directory()
    await find(directory, IDS)

    assert min(sorted(map(len, directory.lines))[1:]) > MOST_OF_CHUNK - len("&id=user-000000")


async def test_answers_are_joined_in_order_of_list() -> None:
    """Later chunks are answered before earlier ones."""
    directory = Directory(seconds=[0.9 - 0.02 * number for number in range(40)])

    assert await find(directory, IDS) == Ok(IDS)


async def test_every_chunk_has_the_other_parameters() -> None:
    directory = Directory()
    await find(directory, IDS[:2000], kind="a", language=["en", "de"])

    assert len(directory.lines) > 1
    assert all("&kind=a&language=en&language=de HTTP" in line for line in directory.lines)


async def test_long_values_are_encoded_within_limit() -> None:
    ids = tuple(f"{number}ä /&=" * 20 for number in range(100))
    directory = Directory()

    assert await find(directory, ids) == Ok(ids)
    assert max(map(len, directory.lines)) <= MOST_OCTETS


async def test_chunks_run_in_parallel_within_limit() -> None:
    directory = Directory()
    await find(directory, IDS * 2)

    assert len(directory.lines) > 20
    assert directory.most_in_flight == 10


@pytest.mark.parametrize("max_concurrency", [1, 3])
async def test_chunks_stay_within_concurrency_limit(max_concurrency: int) -> None:
    """No chunk waits in the queue of the concurrency limit, where it could be shed."""
    directory = Directory(seconds=[0.5] * 20)

    assert await find(directory, IDS, max_concurrency=max_concurrency) == Ok(IDS)
    assert directory.most_in_flight == max_concurrency


async def test_size_limits_values_of_a_request() -> None:
    directory = Directory()

    assert await find(directory, IDS[:250], chunk=Chunks("id", size=100)) == Ok(IDS[:250])
    assert sorted(map(len, directory.ids)) == [50, 100, 100]


async def test_first_failed_chunk_fails_the_call() -> None:
    """The second chunk fails later than the fourth."""
    directory = Directory(200, 500, 200, 404, seconds=[0.1, 0.5, 0.1, 0.1])

    assert await find(directory, IDS) == Err(BadAnswer(UNUSABLE, source="things.find"))
    assert directory.in_flight == 0


async def test_failed_chunk_is_retried_alone() -> None:
    directory = Directory(200, 503)

    assert await find(directory, IDS[:700]) == Ok(IDS[:700])
    assert len(directory.lines) == 3


async def test_cancelled_call_leaves_no_chunk() -> None:
    directory = Directory(seconds=[9.0] * 20)
    call = asyncio.create_task(find(directory, IDS).make())
    await asyncio.sleep(0.01)
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert directory.in_flight == 0


async def test_deadline_ends_all_chunks() -> None:
    change_context(deadline=asyncio.get_running_loop().time() + 0.2)
    directory = Directory(seconds=[9.0] * 20)
    result = await find(directory, IDS)

    assert isinstance(result, Err)
    assert result.error.code == "timed-out"
    assert asyncio.get_running_loop().time() == pytest.approx(0.2)


async def test_pairs_are_divided_like_a_mapping() -> None:
    directory = Directory()
    operation = connect(directory).get("things.find", "/things", answer=list[str], chunk="id")
    result = await operation(query=(("id", value) for value in IDS))

    assert result == Ok([*IDS])


@pytest.mark.parametrize("ids", [IDS, IDS[:3]], ids=["chunks", "single request"])
@pytest.mark.parametrize("is_fitting", [True, False])
async def test_joined_answer_must_fit(
    caplog: pytest.LogCaptureFixture,
    ids: Sequence[str],
    is_fitting: bool,  # noqa: FBT001 - a parameter
) -> None:
    seen: list[Sequence[str]] = []

    def fits(found: Sequence[str]) -> bool:
        seen.append(found)
        return is_fitting

    operation = connect(Directory()).get("things.find", "/things", answer=list[str], chunk="id")
    result = await operation(query={"id": ids}, fits=fits)

    assert seen == [[*ids]]
    assert result == (Ok([*ids]) if is_fitting else Err(BadAnswer(UNUSABLE, source="things.find")))
    assert (
        "things.find: bad-answer: the answer does not fit the request" in caplog.messages
    ) is not is_fitting


async def test_mappings_are_joined() -> None:
    operation = connect(Directory(as_dict=True)).get(
        "things.find", "/things", answer=dict[str, int], chunk="id"
    )

    assert await operation(query={"id": IDS}) == Ok(dict.fromkeys(IDS, 1))


class Page(BaseModel):
    items: list[str]


class Tree(BaseModel):
    children: "list[Tree]"


LEAF: Final = Tree(children=[])


class Paged(Directory):
    """Directory that wraps its answers."""

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"items": request.url.params.get_list("id")})


def join_pages(pages: Sequence[Page]) -> Page:
    return Page(items=[item for page in pages for item in page.items])


async def test_other_answers_are_joined_by_own_function() -> None:
    operation = connect(Paged()).get(
        "things.find", "/things", answer=Page, chunk=Chunks("id", join=join_pages)
    )

    assert await operation(query={"id": IDS}) == Ok(Page(items=[*IDS]))


@pytest.mark.parametrize(
    "answer", [Page, tuple[str, int], str, list[str] | None, Annotated[list[str], AfterValidator(len)]]
)
def test_answers_that_cannot_be_joined_are_refused(answer: type[object]) -> None:
    with pytest.raises(ValueError, match=r"^things.find: answers in chunks must be lists"):
        connect(Directory()).get("things.find", "/things", answer=answer, chunk="id")


@pytest.mark.parametrize("size", [0, -1, True, 1.5])
def test_size_must_be_a_positive_whole_number(size: Any) -> None:  # noqa: ANN401 - an invalid size
    with pytest.raises(ValueError, match=r"^size must be a whole number of at least 1"):
        Chunks("id", size=size)


@pytest.mark.parametrize(
    ("answer", "answers", "joined"),
    [
        (list[int], ([1], [2, 1]), [1, 2, 1]),
        (tuple[int, ...], ((1,), (2,)), (1, 2)),
        (set[int], ({1}, {2, 1}), {1, 2}),
        (frozenset[int], (frozenset({1}), frozenset({2})), frozenset({1, 2})),
        (dict[str, int], ({"a": 1, "b": 1}, {"a": 2}), {"a": 2, "b": 1}),
        (list[Tree], ([LEAF], [LEAF]), [LEAF, LEAF]),
    ],
)
def test_answers_are_joined_by_type(answer: type[Any], answers: Sequence[Any], joined: object) -> None:
    join: Callable[[Sequence[Any]], Any] = choose_join("a", Chunks("id"), TypeAdapter(answer))

    assert join(answers) == joined
    assert type(join(answers)) is type(joined)


async def test_long_rest_of_query_makes_no_request_for_many_values() -> None:
    """With the rest in every chunk, the call would need many times the requests."""
    directory = Directory()
    many = await find(directory, IDS, kind="k" * 3500)
    few = await find(directory, IDS[:3], kind="k" * 3500)

    assert isinstance(many, Err)
    assert isinstance(many.error, Unavailable)
    assert few == Ok(IDS[:3])
    assert len(directory.lines) == 1


@given(st.lists(st.text(max_size=30)), st.integers(14, 200), st.integers(1, 9) | st.none())
def test_chunks_have_all_values_in_order(values: Sequence[str], room: int, size: int | None) -> None:
    pairs = encode_pairs({"id": values, "kind": "a"})
    queries = [*split_pairs(pairs, "id", room, size)]
    chunks = [httpx.QueryParams(query).get_list("id") for query in queries]

    assert [value for chunk in chunks for value in chunk] == values
    assert all(query.endswith("kind=a") for query in queries)
    assert all(len(query) <= room or len(chunk) <= 1 for query, chunk in zip(queries, chunks, strict=True))
    assert size is None or max(map(len, chunks)) <= size


async def fail(query: Mapping[str, object], *, chunk: str | None) -> tuple[Result[object, Failure], int]:
    """Make a call with *query*, fifty times; return the last result and the number of requests."""
    directory = Directory()
    operation = connect(directory).get("things.find", "/things", answer=list[str], chunk=chunk)
    result: Result[object, Failure] = Ok(None)
    for _ in range(50):
        result = await operation(query=query)
    return result, len(directory.lines)


@pytest.mark.parametrize(
    ("query", "chunk"),
    [
        ({"id": IDS}, None),
        ({"id": "a" * 8000}, None),
        ({"id": "a" * 70_000}, None),
        ({"id": ["a" * 8000]}, "id"),
        ({"id": IDS, "kind": "a" * 8000}, "id"),
        ({"id": ["a"], "kind": IDS}, "id"),
    ],
)
async def test_request_with_longer_line_is_not_sent(query: Mapping[str, object], chunk: str | None) -> None:
    result, sent = await fail(query, chunk=chunk)

    assert result == Err(
        Unavailable(
            "The request to the things service would be too long or invalid",
            source="things.find",
            was_sent=False,
        )
    )
    assert sent == 0


@pytest.mark.parametrize(("length", "sent"), [(7973, 1), (7974, 0)])
async def test_longest_request_line_is_8000_octets(length: int, sent: int) -> None:
    directory = Directory()
    operation = connect(directory).get("things.find", "/things/{path}", answer=list[str])
    await operation(path="a" * length)

    assert len(directory.lines) == sent
    assert not sent or len(directory.lines[0]) == MOST_OCTETS
