"""Content codings of answers, decoded within a limit."""

import gzip
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.client.answers.content_coding import check_codings, decode_content, list_codings
from gateway.observability.reason import Reason
from gateway.railway import Err, Ok

LIMIT = 100_000
TEXT = b'{"user_id": "user-123"}' * 10


def deflate(body: bytes, window: int) -> bytes:
    compressor = zlib.compressobj(wbits=window)
    return compressor.compress(body) + compressor.flush()


@pytest.mark.parametrize(
    ("value", "codings"),
    [
        (b"", []),
        (b"identity", []),
        (b", ,", []),
        (b"GZIP", ["gzip"]),
        (b"identity, gzip,", ["gzip"]),
        (b"deflate, gzip", ["deflate", "gzip"]),
    ],
)
def test_codings_are_listed(value: bytes, codings: Sequence[str]) -> None:
    assert list_codings(value) == codings


@pytest.mark.parametrize(
    ("codings", "reason"),
    [
        (["gzip", "x-gzip", "deflate", "gzip"], None),
        (["gzip"] * 5, Reason("too many codings in Content-Encoding")),
        (["gzip", "br"], Reason("unsupported Content-Encoding", "br")),
    ],
)
def test_codings_are_checked(codings: Sequence[str], reason: Reason | None) -> None:
    assert check_codings(codings) == reason


@given(st.binary(max_size=3000), st.lists(st.sampled_from(["gzip", "deflate", "raw"]), max_size=4))
def test_coded_body_is_decoded(body: bytes, codings: Sequence[str]) -> None:
    coded = body
    for coding in codings:
        coded = {"gzip": gzip.compress(coded), "deflate": deflate(coded, 15), "raw": deflate(coded, -15)}[
            coding
        ]

    assert decode_content(coded, [coding.replace("raw", "deflate") for coding in codings], LIMIT) == Ok(body)


def test_members_of_gzip_are_joined() -> None:
    assert decode_content(gzip.compress(b"a") + gzip.compress(b"b"), ["gzip"], LIMIT) == Ok(b"ab")


@pytest.mark.parametrize("members", [1, 3])
def test_bomb_is_cut_off(members: int) -> None:
    bomb = gzip.compress(b"\0" * 20_000_000) * members

    assert decode_content(bomb, ["gzip"], LIMIT) == Err(Reason("body over the limit of 100000 bytes"))
    assert decode_content(gzip.compress(bomb), ["gzip", "gzip"], LIMIT) == Err(
        Reason("body over the limit of 100000 bytes")
    )


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        pytest.param(TEXT, "gzip", id="text"),
        pytest.param(gzip.compress(TEXT)[:-1], "gzip", id="cut off"),
        pytest.param(gzip.compress(TEXT) + b"x", "gzip", id="more after it"),
        pytest.param(deflate(TEXT, 15)[:-1], "deflate", id="cut off deflate"),
        pytest.param(b"\x78\x9c", "deflate", id="head of deflate"),
        pytest.param(b"\xff", "deflate", id="one byte"),
    ],
)
def test_malformed_body_is_refused(body: bytes, coding: str) -> None:
    result = decode_content(body, [coding], LIMIT)

    assert isinstance(result, Err)
    assert result.error.summary == f"malformed {coding}"
