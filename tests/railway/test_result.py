"""Every combinator, on both rails."""

import dataclasses

import pytest

from gateway.railway import Conflict, Err, Failure, Gone, NotFound, Ok, Result

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


def untouched(_: object) -> Result[int, NotFound]:
    pytest.fail("the other rail was touched")


def test_map_changes_the_value(ok: Result[int, NotFound]) -> None:
    assert ok.map(str) == Ok("7", lacks=("extra",))


def test_map_leaves_a_failure_alone(err: Result[int, NotFound]) -> None:
    assert err.map(untouched) is FAILED


def test_bind_goes_on_with_another_result(ok: Result[int, NotFound]) -> None:
    assert ok.bind(lambda n: Ok(n + 1, lacks=("more",))) == Ok(8, lacks=("extra", "more"))


def test_bind_fails_as_the_other_result_fails(ok: Result[int, NotFound]) -> None:
    assert ok.bind(lambda n: Err(Gone(f"{n}"))) == Err(Gone("7"))


def test_bind_leaves_a_failure_alone(err: Result[int, NotFound]) -> None:
    assert err.bind(untouched) is FAILED


def test_tap_shows_the_value_and_changes_nothing(ok: Result[int, NotFound], seen: list[object]) -> None:
    assert ok.tap(seen.append) is FINE
    assert seen == [7]


def test_tap_does_not_see_a_failure(err: Result[int, NotFound]) -> None:
    assert err.tap(untouched) is FAILED


def test_tap_error_shows_the_failure_and_changes_nothing(
    err: Result[int, NotFound], seen: list[object]
) -> None:
    assert err.tap_error(seen.append) is FAILED
    assert seen == [NotFound("missing")]


def test_tap_error_does_not_see_a_value(ok: Result[int, NotFound]) -> None:
    assert ok.tap_error(untouched) is FINE


def test_map_error_changes_the_failure(err: Result[int, NotFound]) -> None:
    assert err.map_error(lambda error: Gone(error.detail)) == Err(Gone("missing"))


def test_map_error_leaves_a_value_alone(ok: Result[int, NotFound]) -> None:
    assert ok.map_error(lambda _: Gone(pytest.fail("touched"))) is FINE


def test_recover_gives_a_failure_one_more_chance(err: Result[int, NotFound]) -> None:
    assert err.recover(lambda error: Ok(error.detail)) == Ok("missing")


def test_recover_may_fail_again(err: Result[int, NotFound]) -> None:
    assert err.recover(lambda error: Err(Gone(error.detail))) == Err(Gone("missing"))


def test_recover_when_it_is_one_of_those(err: Result[int, NotFound]) -> None:
    assert err.recover(lambda _: Ok(0), when=lambda error: error.detail == "missing") == Ok(0)


def test_recover_leaves_a_failure_alone_when_it_is_none_of_those(err: Result[int, NotFound]) -> None:
    assert err.recover(untouched, when=lambda error: error.detail == "other") is FAILED


def test_recover_leaves_a_value_alone(ok: Result[int, NotFound]) -> None:
    assert ok.recover(untouched) is FINE
    assert ok.recover(untouched, when=lambda _: True) is FINE


def test_ensure_keeps_a_value_that_holds(ok: Result[int, NotFound]) -> None:
    assert ok.ensure(lambda n: n > 0, lambda n: Conflict(f"{n}")) is FINE


def test_ensure_fails_a_value_that_does_not_hold(ok: Result[int, NotFound]) -> None:
    assert ok.ensure(lambda n: n < 0, lambda n: Conflict(f"{n}")) == Err(Conflict("7"))


def test_ensure_leaves_a_failure_alone(err: Result[int, NotFound]) -> None:
    assert err.ensure(lambda _: pytest.fail("touched"), lambda _: Gone()) is FAILED


def test_check_keeps_the_value_and_not_its_own(ok: Result[int, NotFound]) -> None:
    assert ok.check(lambda _: Ok("other")) is FINE


def test_check_carries_what_the_check_lacked(ok: Result[int, NotFound]) -> None:
    assert ok.check(lambda _: Ok("other", lacks=("rules",))) == Ok(7, lacks=("extra", "rules"))


def test_check_fails_as_the_check_fails(ok: Result[int, NotFound]) -> None:
    assert ok.check(lambda n: Err(Gone(f"{n}"))) == Err(Gone("7"))


def test_check_leaves_a_failure_alone(err: Result[int, NotFound]) -> None:
    assert err.check(untouched) is FAILED


def test_match_makes_one_thing_of_both(ok: Result[int, NotFound], err: Result[int, NotFound]) -> None:
    told = [result.match(lambda n: f"{n}", lambda error: error.detail) for result in (ok, err)]

    assert told == ["7", "missing"]


def test_value_or_gives_the_value_or_the_default(
    ok: Result[int, NotFound], err: Result[int, NotFound]
) -> None:
    assert (ok.value_or(None), err.value_or(None)) == (7, None)


def test_lacking_puts_names_before_what_the_value_lacks() -> None:
    assert FINE.lacking(("first", "second")) == Ok(7, lacks=("first", "second", "extra"))


def test_lacking_nothing_changes_nothing() -> None:
    assert FINE.lacking(()) is FINE


def test_a_failure_lacks_nothing() -> None:
    assert FAILED.lacking(("extra",)) is FAILED


def test_two_results_are_equal_when_all_they_say_is() -> None:
    assert Ok(1) == Ok(1)
    assert Ok(1) != Ok(1, lacks=("extra",))
    assert Err(Gone("a")) != Err(Gone("b"))


@pytest.mark.parametrize("result", [FINE, FAILED])
def test_a_result_is_a_frozen_fact(result: Result[int, Failure]) -> None:
    (first, *_) = dataclasses.fields(result)

    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(result, first.name, 8)


def test_a_result_is_taken_apart_by_a_match(ok: Result[int, NotFound]) -> None:
    match ok:
        case Ok(value, lacks=lacks):
            assert (value, lacks) == (7, ("extra",))
        case Err(error):
            pytest.fail(error.detail)


def number(text: str) -> Result[int, Conflict]:
    return Ok(int(text)) if text.isdecimal() else Err(Conflict(f"{text} is no number"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4", Ok(2)), ("x", Err(Conflict("x is no number"))), ("0", Err(Gone("nothing left")))],
)
def test_a_chain_ends_at_its_first_failure(text: str, expected: Result[float, Failure]) -> None:
    assert number(text).ensure(bool, lambda _: Gone("nothing left")).map(lambda n: n / 2) == expected
