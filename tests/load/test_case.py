"""Titles of cases, and the frequency with which cases are drawn."""

from itertools import islice

from load.case import Case, draw, repeat_of


def make_case(name: str, weight: int = 1, *, is_write: bool = False) -> Case:
    return Case(name, "/path", None, 200, {}, weight=weight, is_write=is_write)


def test_title_has_path_name_and_status() -> None:
    assert make_case("one").titles == ("/path: one (200)",)


def test_repeated_write_has_its_own_title() -> None:
    assert make_case("one", is_write=True).titles == ("/path: one (200)", "/path: one, repeated (200)")
    assert repeat_of(make_case("one")).title == "/path: one, repeated (200)"


def test_draw_respects_weights_in_each_round() -> None:
    deck = draw([make_case("often", 3), make_case("seldom")])

    for _ in range(2):
        assert sorted(drawn.name for drawn in islice(deck, 4)) == ["often", "often", "often", "seldom"]
