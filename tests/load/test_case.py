"""Titles of cases, and how often each is drawn."""

from itertools import islice

from load.case import Case, draw, repeat_of


def case(name: str, weight: int = 1, *, is_write: bool = False) -> Case:
    return Case(name, "/path", None, 200, {}, weight=weight, is_write=is_write)


def test_its_title_is_where_it_is_sent_what_it_is_and_its_status() -> None:
    assert case("one").titles == ("/path: one (200)",)


def test_what_writes_is_sent_again_under_a_title_of_its_own() -> None:
    assert case("one", is_write=True).titles == ("/path: one (200)", "/path: one, repeated (200)")
    assert repeat_of(case("one")).title == "/path: one, repeated (200)"


def test_each_comes_up_as_often_as_its_weight_says_before_any_comes_up_again() -> None:
    deck = draw([case("often", 3), case("seldom")])

    for _ in range(2):
        assert sorted(one.name for one in islice(deck, 4)) == ["often", "often", "often", "seldom"]
