"""How many can be ordered, and what is left."""

from hypothesis import given
from hypothesis import strategies as st

from load.shelf import LEFT_FOR_OTHERS, REFILL, SEEDED, Shelf


def taken(shelf: Shelf) -> int:
    """Take all that there are; give how many."""
    count = 0
    while shelf.take():
        count += 1
    return count


def test_nothing_can_be_taken_before_it_is_known_how_many_there_are() -> None:
    shelf = Shelf()

    assert not shelf.take()
    assert not shelf.is_known


def test_all_can_be_taken_but_those_that_are_left_for_others() -> None:
    shelf = Shelf()

    shelf.told(SEEDED, 0)

    assert taken(shelf) == SEEDED - LEFT_FOR_OTHERS == 40


def test_what_is_being_ordered_while_it_is_told_is_not_counted_twice() -> None:
    shelf = Shelf()
    shelf.told(63, 0)
    shelf.take()
    ended_before = shelf.ended
    shelf.take()
    shelf.end(placed=True)

    shelf.told(63, ended_before)

    assert taken(shelf) == 1


def test_what_could_not_be_ordered_is_there_again_when_it_is_told() -> None:
    shelf = Shelf()
    shelf.told(61, 0)
    shelf.take()
    shelf.end(placed=False)

    shelf.told(61, shelf.ended)

    assert (taken(shelf), shelf.placed) == (1, 0)


def test_after_a_refill_there_is_as_much_as_at_first() -> None:
    shelf = Shelf()
    shelf.told(61, 0)
    shelf.take()
    shelf.end(placed=True)

    shelf.told(SEEDED, shelf.ended)

    assert (taken(shelf), shelf.placed) == (40, 1)


def test_a_beginning_with_too_little_is_told_with_what_helps() -> None:
    warning = Shelf().told(60, 0)

    assert warning
    assert warning.startswith("No order can be placed: 60 of prod-456 are left, ")
    assert warning.endswith(REFILL)


def test_a_beginning_with_enough_for_one_is_no_news() -> None:
    assert Shelf().told(61, 0) is None


def test_that_there_is_nothing_left_later_is_no_news() -> None:
    shelf = Shelf()
    shelf.told(61, 0)

    assert shelf.told(60, 0) is None


def test_what_others_order_is_not_taken() -> None:
    shelf = Shelf()
    shelf.told(SEEDED, 0)

    shelf.told(50, 0)

    assert taken(shelf) == 0


@given(st.lists(st.sampled_from(["take", "order", "answer", "ask", "tell"])), st.integers(50, SEEDED))
def test_in_whatever_order_answers_come_enough_is_left(happenings: list[str], level: int) -> None:
    shelf, stock = Shelf(), level
    sent, done = 0, 0
    asked = list[tuple[int, int]]()
    for happening in happenings:
        match happening:
            case "take":
                sent += shelf.take()
            case "order" if sent:
                sent, done, stock = sent - 1, done + 1, stock - 1
            case "answer" if done:
                done -= 1
                shelf.end(placed=True)
            case "ask":
                asked.append((stock, shelf.ended))
            case "tell" if asked:
                shelf.told(*asked.pop())
            case _:
                pass

    assert stock - sent >= min(level, LEFT_FOR_OTHERS)
