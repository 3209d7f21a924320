"""Combinators of `Result`, on a value and on a failure."""

import dataclasses

import pytest

from gateway.railway import Conflict, Err, Failure, Gone, NotFound, Ok, Result, constant

FINE = Ok(7, lacks=("extra",))
FAILED = Err(NotFound("missing"))


@pytest.fixture
def seen() -> list[object]:
    return []


@pytest.fixture
def ok() -> Result[int, NotFound]:
    return FINE


@pytest.fixture
def err() -> Result[int, NotFound]:
    return FAILED


def fail_if_called(_: object) -> Result[int, NotFound]:
    pytest.fail("this function must not be called")


def test_result_map_changes_value(ok: Result[int, NotFound]) -> None:
    assert ok.map(str) == Ok("7", lacks=("extra",))


def test_result_map_skips_failure(err: Result[int, NotFound]) -> None:
    assert err.map(fail_if_called) is FAILED


def test_result_bind_continues_with_result(ok: Result[int, NotFound]) -> None:
    assert ok.bind(lambda n: Ok(n + 1, lacks=("more",))) == Ok(8, lacks=("extra", "more"))


def test_result_bind_returns_failure_of_function(ok: Result[int, NotFound]) -> None:
    assert ok.bind(lambda n: Err(Gone(f"{n}"))) == Err(Gone("7"))


def test_result_bind_skips_failure(err: Result[int, NotFound]) -> None:
    assert err.bind(fail_if_called) is FAILED


def test_result_tap_sees_and_keeps_value(ok: Result[int, NotFound], seen: list[object]) -> None:
    assert ok.tap(seen.append) is FINE
    assert seen == [7]


def test_result_tap_skips_failure(err: Result[int, NotFound]) -> None:
    assert err.tap(fail_if_called) is FAILED


def test_result_tap_error_sees_and_keeps_failure(err: Result[int, NotFound], seen: list[object]) -> None:
    assert err.tap_error(seen.append) is FAILED
    assert seen == [NotFound("missing")]


def test_result_tap_error_skips_value(ok: Result[int, NotFound]) -> None:
    assert ok.tap_error(fail_if_called) is FINE


def test_result_map_error_changes_failure(err: Result[int, NotFound]) -> None:
    assert err.map_error(lambda error: Gone(error.detail)) == Err(Gone("missing"))


def test_result_map_error_skips_value(ok: Result[int, NotFound]) -> None:
    assert ok.map_error(lambda _: Gone(pytest.fail("called"))) is FINE


def test_result_recover_replaces_failure(err: Result[int, NotFound]) -> None:
    assert err.recover(lambda error: Ok(error.detail)) == Ok("missing")


def test_result_recover_can_fail_again(err: Result[int, NotFound]) -> None:
    assert err.recover(lambda error: Err(Gone(error.detail))) == Err(Gone("missing"))


def test_result_recover_replaces_matching_failure(err: Result[int, NotFound]) -> None:
    assert err.recover(lambda _: Ok(0), when=lambda error: error.detail == "missing") == Ok(0)


def test_result_recover_skips_unmatched_failure(err: Result[int, NotFound]) -> None:
    assert err.recover(fail_if_called, when=lambda error: error.detail == "other") is FAILED


def test_result_recover_skips_value(ok: Result[int, NotFound]) -> None:
    assert ok.recover(fail_if_called) is FINE
    assert ok.recover(fail_if_called, when=lambda _: True) is FINE


def test_result_ensure_keeps_valid_value(ok: Result[int, NotFound]) -> None:
    assert ok.ensure(lambda n: n > 0, lambda n: Conflict(f"{n}")) is FINE


def test_result_ensure_rejects_invalid_value(ok: Result[int, NotFound]) -> None:
    assert ok.ensure(lambda n: n < 0, lambda n: Conflict(f"{n}")) == Err(Conflict("7"))


def test_result_ensure_skips_failure(err: Result[int, NotFound]) -> None:
    assert err.ensure(lambda _: pytest.fail("called"), lambda _: Gone()) is FAILED


def test_result_check_keeps_original_value(ok: Result[int, NotFound]) -> None:
    assert ok.check(lambda _: Ok("other")) is FINE


def test_result_check_appends_names_of_missing_calls(ok: Result[int, NotFound]) -> None:
    assert ok.check(lambda _: Ok("other", lacks=("rules",))) == Ok(7, lacks=("extra", "rules"))


def test_result_check_returns_failure_of_check(ok: Result[int, NotFound]) -> None:
    assert ok.check(lambda n: Err(Gone(f"{n}"))) == Err(Gone("7"))


def test_result_check_skips_failure(err: Result[int, NotFound]) -> None:
    assert err.check(fail_if_called) is FAILED


def test_result_match_handles_value_and_failure(
    ok: Result[int, NotFound], err: Result[int, NotFound]
) -> None:
    matched = [result.match(lambda n: f"{n}", lambda error: error.detail) for result in (ok, err)]

    assert matched == ["7", "missing"]


def test_value_or_returns_value_or_default(ok: Result[int, NotFound], err: Result[int, NotFound]) -> None:
    assert (ok.value_or(None), err.value_or(None)) == (7, None)


def test_lacking_prepends_names_to_lacks() -> None:
    assert FINE.lacking(("first", "second")) == Ok(7, lacks=("first", "second", "extra"))


def test_lacking_without_names_returns_same_result() -> None:
    assert FINE.lacking(()) is FINE


def test_lacking_on_failure_changes_nothing() -> None:
    assert FAILED.lacking(("extra",)) is FAILED


def test_results_are_equal_by_value_and_missing_calls() -> None:
    assert Ok(1) == Ok(1)
    assert Ok(1) != Ok(1, lacks=("extra",))
    assert Err(Gone("a")) != Err(Gone("b"))


@pytest.mark.parametrize("result", [FINE, FAILED])
def test_result_is_immutable(result: Result[int, Failure]) -> None:
    (first, *_) = dataclasses.fields(result)

    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(result, first.name, 8)


def test_match_statement_unpacks_result(ok: Result[int, NotFound]) -> None:
    match ok:
        case Ok(value, lacks=lacks):
            assert (value, lacks) == (7, ("extra",))
        case Err(error):
            pytest.fail(error.detail)


def number(text: str) -> Result[int, Conflict]:
    return Ok(int(text)) if text.isdecimal() else Err(Conflict(f"{text} is not a number"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4", Ok(2)), ("x", Err(Conflict("x is not a number"))), ("0", Err(Gone("nothing left")))],
)
def test_chain_of_results_stops_at_first_failure(text: str, expected: Result[float, Failure]) -> None:
    assert number(text).ensure(bool, lambda _: Gone("nothing left")).map(lambda n: n / 2) == expected


async def wait(_: object) -> bool:
    raise AssertionError


@pytest.mark.parametrize("method", ["map", "bind", "tap", "check"])
def test_methods_of_ok_refuse_async_functions(method: str) -> None:
    message = f"^{method} of a result was given a function that returns a coroutine: await it first, or use"

    with pytest.raises(TypeError, match=message):
        getattr(Ok(1), method)(wait)


@pytest.mark.parametrize("method", ["map_error", "tap_error", "recover"])
def test_methods_of_err_refuse_async_functions(method: str) -> None:
    message = f"^{method} of a result was given a function that returns a coroutine: await it first, or use"

    with pytest.raises(TypeError, match=message):
        getattr(Err(Gone()), method)(wait)


def test_ensure_refuses_async_condition() -> None:
    with pytest.raises(TypeError, match=r"^ensure of a result was given a function that returns a coroutine"):
        Ok(1).ensure(wait, lambda _: Gone())  # type: ignore[arg-type]


def test_recover_refuses_async_condition() -> None:
    with pytest.raises(
        TypeError, match=r"^recover of a result was given a function that returns a coroutine"
    ):
        Err(Gone()).recover(lambda _: Ok(1), when=wait)  # type: ignore[arg-type]


def test_ok_map_refuses_function_that_returns_call() -> None:
    with pytest.raises(TypeError, match=r"returns a Call: await it first, or use `Call\.map`$"):
        Ok(1).map(lambda value: constant("a", value))


def test_methods_ignore_async_function_that_is_not_called() -> None:
    failed: Result[int, Gone] = Err(Gone())

    assert failed.map(wait) == failed
    assert failed.recover(lambda _: Ok(1), when=lambda _: False) == failed
