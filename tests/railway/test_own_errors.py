"""Own errors: classes derived from the family of failures, with their own code and members."""

import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import get_args

import pytest

from gateway.railway import (
    Aggregate,
    Conflict,
    Failure,
    Fault,
    Invalid,
    NotFound,
    Stuck,
    Unauthorized,
    get_defining_class,
    get_family,
    list_members,
)


class InsufficientPoints(Conflict, code="insufficient-points"):
    """The account has fewer points than the reward costs."""

    balance: int
    needed: int = 500


class AccountFrozen(InsufficientPoints, code="account-frozen"):
    since: str = "today"


class CardExpired(Invalid, code="card-expired"):
    """The card has expired."""


LACKING = InsufficientPoints("Only 12 points are left", balance=12, source="loyalty.redeem")


def test_own_error_has_its_code_and_members() -> None:
    assert (LACKING.code, LACKING.balance, LACKING.needed) == ("insufficient-points", 12, 500)
    assert (LACKING.detail, LACKING.source) == ("Only 12 points are left", "loyalty.redeem")


def test_own_error_is_a_frozen_value_with_slots() -> None:
    assert LACKING == replace(LACKING) != replace(LACKING, balance=13)
    assert len({LACKING, replace(LACKING)}) == 1
    assert not hasattr(LACKING, "__dict__")
    with pytest.raises(FrozenInstanceError):
        LACKING.balance = 13  # type: ignore[misc]


def test_own_error_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(LACKING)) == LACKING  # noqa: S301 - our own data


def test_members_are_keyword_only() -> None:
    with pytest.raises(TypeError):
        InsufficientPoints("no", 12)  # type: ignore[call-arg, arg-type]


def test_own_error_without_docstring_inherits_it() -> None:
    assert AccountFrozen.__doc__ == "The account has fewer points than the reward costs."


@pytest.mark.parametrize("kind", get_args(Failure))
def test_family_of_each_failure_is_itself(kind: type[Failure]) -> None:
    assert get_family(kind) is kind
    assert list_members(kind) == ()


@pytest.mark.parametrize(
    ("kind", "family", "members"),
    [
        (InsufficientPoints, Conflict, ("balance", "needed")),
        (AccountFrozen, Conflict, ("balance", "needed", "since")),
        (CardExpired, Invalid, ()),
    ],
)
def test_own_error_belongs_to_one_family(
    kind: type[Fault], family: type[Fault], members: tuple[str, ...]
) -> None:
    assert get_family(kind) is family
    assert list_members(kind) == members


def without_code() -> type:
    class OutOfPoints(Conflict): ...

    return OutOfPoints


def with_code_of_family() -> type:
    class Same(Conflict, code="conflict"): ...

    return Same


def with_malformed_code() -> type:
    class Shouting(Conflict, code="NO_POINTS"): ...

    return Shouting


def from_final_class() -> type:
    class Stuckest(Stuck, code="stuckest"): ...  # type: ignore[misc]

    return Stuckest


def from_two_classes() -> type:
    class Both(Conflict, NotFound, code="both"): ...

    return Both


def with_field_of_family() -> type:
    class Basic(Unauthorized, code="basic"):
        scheme: str = "Basic"

    return Basic


def with_value_for_field_of_family() -> type:
    class Basic(Unauthorized, code="basic"):
        scheme = "Basic"

    return Basic


@pytest.mark.parametrize(
    ("define", "reason"),
    [
        (without_code, r"OutOfPoints needs a code of its own: .*\(Conflict, code='out-of-points'\)"),
        (with_code_of_family, "Same needs a code of its own"),
        (with_malformed_code, "Shouting needs a code of its own"),
        (from_final_class, "Stuckest must be derived from one class of errors that is not final"),
        (from_two_classes, "Both must be derived from one class"),
        (with_field_of_family, "Basic cannot change scheme, a field of its base class"),
        (with_value_for_field_of_family, "Basic cannot change scheme"),
    ],
)
def test_malformed_own_error_is_refused(define: Callable[[], type], reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        define()


def test_own_error_is_a_part_of_an_aggregate() -> None:
    assert Aggregate((LACKING, NotFound())).errors[0] is LACKING


def test_invalid_at_names_the_field() -> None:
    refused = Invalid.at("payment_id")("expired", source="payments.validate")

    assert refused == Invalid(
        "expired", source="payments.validate", violations=(("payment_id", ("expired",)),)
    )
    assert type(refused) is Invalid


def test_own_invalid_at_keeps_its_class() -> None:
    refused = CardExpired.at("card")("expired")

    assert refused == CardExpired("expired", violations=(("card", ("expired",)),))


def test_invalid_at_is_an_invalid_class() -> None:
    kind = Invalid.at("payment_id")

    assert issubclass(kind, Invalid)
    assert (kind.code, kind.__name__, get_family(kind), list_members(kind)) == (
        "invalid",
        "Invalid",
        Invalid,
        (),
    )


@pytest.mark.parametrize("kind", [InsufficientPoints, AccountFrozen, Invalid, CardExpired, Aggregate])
def test_class_defines_its_own_code(kind: type[Failure]) -> None:
    assert get_defining_class(kind) is kind


@pytest.mark.parametrize("kind", [Invalid, CardExpired])
def test_invalid_at_does_not_define_its_code(kind: type[Invalid]) -> None:
    assert get_defining_class(kind.at("card")) is kind
