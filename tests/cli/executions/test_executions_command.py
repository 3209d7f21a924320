"""The command `gateway executions`, on scripted answers of a gateway."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx
import pytest

from gateway.cli.executions.command import configure, run_action

RECORD: Final[Mapping[str, Any]] = {
    "execution_id": "exe-1",
    "pipeline": "transfers",
    "state": "stuck",
    "writes": [
        {"name": "payments.execute", "outcome": "stuck"},
        {"name": "accounts.post", "outcome": "refused"},
    ],
    "started_at": "2026-01-31T12:00:00.123456+00:00",
    "ended_at": "2026-01-31T12:00:31.5+00:00",
}
RUNNING: Final[Mapping[str, Any]] = {
    **RECORD,
    "execution_id": "exe-2",
    "state": "running",
    "writes": [],
    "ended_at": None,
}

Handler = Callable[[httpx.Request], httpx.Response]


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    configure(parser)
    return parser.parse_args(arguments)


def answer(body: object, status: int = 200) -> Handler:
    return lambda _: httpx.Response(status, json=body)


async def run(handler: Handler, *arguments: str) -> int:
    return await run_action(parse(*arguments), httpx.MockTransport(handler))


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEWAY_OPERATOR_TOKEN", raising=False)


async def test_list_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    page = {"executions": [RUNNING, RECORD], "cursor": None}

    assert await run(answer(page), "list") == 0
    assert capsys.readouterr().out == (
        "EXECUTION  PIPELINE   STATE    STARTED (UTC)        ENDED (UTC)          WRITES\n"
        "exe-2      transfers  running  2026-01-31 12:00:00  -                    -\n"
        "exe-1      transfers  stuck    2026-01-31 12:00:00  2026-01-31 12:00:31"
        "  payments.execute stuck, accounts.post refused\n"
    )


async def test_show_has_a_line_for_each_write(capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(answer(RECORD), "show", "exe-1") == 0
    assert capsys.readouterr().out == (
        "EXECUTION      exe-1\n"
        "PIPELINE       transfers\n"
        "STATE          stuck\n"
        "STARTED (UTC)  2026-01-31 12:00:00\n"
        "ENDED (UTC)    2026-01-31 12:00:31\n"
        "WRITES         payments.execute  stuck\n"
        "               accounts.post     refused\n"
    )


async def test_show_of_execution_without_writes(capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(answer(RUNNING), "show", "exe-2") == 0
    assert capsys.readouterr().out.endswith("ENDED (UTC)    -\n")


@pytest.mark.parametrize(
    ("arguments", "body"),
    [(["show", "exe-1"], RECORD), (["list"], {"executions": [RECORD], "cursor": None})],
)
async def test_json_is_that_of_the_gateway(
    arguments: Sequence[str], body: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(answer(body), *arguments, "--json") == 0
    assert json.loads(capsys.readouterr().out) == body


async def test_control_characters_are_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    await run(answer({**RECORD, "pipeline": "a\x1b[31mb"}), "show", "exe-1")

    assert "PIPELINE       a [31mb\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"), [([], "no executions\n"), (["--state", "stuck"], "no stuck executions\n")]
)
async def test_empty_list_is_named(
    arguments: Sequence[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(answer({"executions": [], "cursor": None}), "list", *arguments) == 0
    assert capsys.readouterr().out == text


async def test_list_shows_limit_of_state(capsys: pytest.CaptureFixture[str]) -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        assert request.url == "http://127.0.0.1:8000/executions?state=stuck&limit=1"
        return httpx.Response(200, json={"executions": [RECORD], "cursor": "17"})

    assert await run(serve, "list", "--state", "stuck", "--limit", "1") == 0
    assert capsys.readouterr().err == (
        "gateway: there are more executions; list them with --limit or --all\n"
    )


@pytest.mark.parametrize(
    ("arguments", "limits"), [(["--limit", "150"], ["100", "50"]), (["--all"], ["100", "100", "100"])]
)
async def test_long_list_has_several_pages(
    arguments: Sequence[str], limits: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    requested: list[httpx.QueryParams] = []

    def serve(request: httpx.Request) -> httpx.Response:
        query = request.url.params
        requested.append(query)
        cursor = int(query.get("cursor", "250"))
        size = min(int(query["limit"]), cursor)
        body = {"executions": [RECORD] * size, "cursor": str(cursor - size) if cursor > size else None}
        return httpx.Response(200, json=body)

    assert await run(serve, "list", *arguments) == 0
    assert [query["limit"] for query in requested] == limits
    assert capsys.readouterr().out.count("exe-1") == (250 if "--all" in arguments else 150)


async def test_retry_shows_undone_execution(capsys: pytest.CaptureFixture[str]) -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("POST", "/api/executions/exe-1/retry")
        undone = [{"name": "payments.execute", "outcome": "undone"}]
        return httpx.Response(200, json={**RECORD, "state": "undone", "writes": undone})

    assert await run(serve, "retry", "exe-1", "--url", "http://gateway.test/api/") == 0
    assert "WRITES         payments.execute  undone\n" in capsys.readouterr().out


async def test_retry_that_fails_names_stuck_writes(capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(answer(RECORD), "retry", "exe-1") == 1
    assert capsys.readouterr().err == (
        "gateway: still stuck, because the undo failed again: payments.execute\n"
    )


@pytest.mark.parametrize(
    ("status", "detail", "message"),
    [
        (
            401,
            "Token?",
            "the gateway's operator token is required; set GATEWAY_OPERATOR_TOKEN or --token to it",
        ),
        (403, "Only\nlocal", "Only local (status 403)"),
        (404, "No execution", "No execution (status 404)"),
        (409, "The execution is not stuck", "The execution is not stuck (status 409)"),
        (503, "The journal is unavailable", "The journal is unavailable (status 503)"),
    ],
)
async def test_refusal_is_one_line(
    status: int, detail: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(answer({"detail": detail}, status), "retry", "exe-1") == 1
    assert capsys.readouterr() == ("", f"gateway: {message}\n")


@pytest.mark.parametrize(
    ("variable", "options"), [("s3cret", []), ("other", ["--token", "s3cret"])], ids=["variable", "option"]
)
async def test_wrong_token_is_named(
    variable: str,
    options: Sequence[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer s3cret"
        return httpx.Response(401, json={"detail": "Token?"})

    monkeypatch.setenv("GATEWAY_OPERATOR_TOKEN", variable)

    assert await run(serve, "list", *options) == 1
    assert capsys.readouterr().err.startswith("gateway: the gateway's operator token is not the token sent; ")


async def test_unusable_token_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(answer(RECORD), "list", "--token", "s3cret\n") == 2
    assert capsys.readouterr().err == "gateway: invalid operator token: expected visible ASCII characters\n"


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (httpx.Response(200, text="<html>"), "http://127.0.0.1:8000 answered, and not as a gateway does; "),
        (httpx.Response(404, text="no"), "http://127.0.0.1:8000 answered with status 404, and not as a "),
    ],
)
async def test_answer_of_another_program_is_recognised(
    response: httpx.Response, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(lambda _: response, "list") == 1
    assert capsys.readouterr().err.startswith(f"gateway: {message}")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (httpx.ConnectError("refused"), "cannot reach the gateway at http://127.0.0.1:8000 (refused); "),
        (httpx.ReadTimeout("late"), "the gateway at http://127.0.0.1:8000 does not answer; "),
    ],
)
async def test_unreachable_gateway_is_one_line(
    error: httpx.TransportError, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    assert await run(fail, "list") == 1
    assert capsys.readouterr().err.startswith(f"gateway: {message}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--limit", "0"],
        ["list", "--limit", "x"],
        ["list", "--limit", "1", "--all"],
        ["list", "--state", "lost"],
        ["show", "a/b"],
        ["list", "--url", "ftp://ada:s3cret@gateway.test"],
    ],
)
def test_invalid_arguments_are_refused(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(*arguments)

    assert "s3cret" not in capsys.readouterr().err
