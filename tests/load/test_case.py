"""How requests are named, and how often each comes up."""

from itertools import islice

from load.case import Case, again, dealt


def case(name: str, weight: int = 1, *, writes: bool = False) -> Case:
    return Case(name, "/path", None, 200, {}, weight=weight, writes=writes)


def test_its_title_is_where_it_is_sent_what_it_is_and_its_status() -> None:
    assert case("one").titles == ("/path: one (200)",)


def test_what_writes_is_sent_again_under_a_title_of_its_own() -> None:
    assert case("one", writes=True).titles == ("/path: one (200)", "/path: one, again (200)")
    assert again(case("one")).title == "/path: one, again (200)"


def test_each_comes_up_as_often_as_its_weight_says_before_any_comes_up_again() -> None:
    deck = dealt([case("often", 3), case("seldom")])

    for _ in range(2):
        assert sorted(one.name for one in islice(deck, 4)) == ["often", "often", "often", "seldom"]
