"""The order budget: how many orders can be placed, and what is left."""

from hypothesis import given
from hypothesis import strategies as st

from load.order_budget import INITIAL_STOCK, REFILL_COMMAND, RESERVED_STOCK, OrderBudget


def take_all(budget: OrderBudget) -> int:
    """Take all available items; return their number."""
    count = 0
    while budget.take():
        count += 1
    return count


def test_nothing_can_be_taken_before_it_is_known_how_many_there_are() -> None:
    budget = OrderBudget()

    assert not budget.take()
    assert not budget.is_known


def test_all_can_be_taken_but_those_that_are_left_for_others() -> None:
    budget = OrderBudget()

    budget.update(INITIAL_STOCK, 0)

    assert take_all(budget) == INITIAL_STOCK - RESERVED_STOCK == 40


def test_what_is_being_ordered_while_it_is_told_is_not_counted_twice() -> None:
    budget = OrderBudget()
    budget.update(63, 0)
    budget.take()
    completed_before = budget.completed
    budget.take()
    budget.complete(is_placed=True)

    budget.update(63, completed_before)

    assert take_all(budget) == 1


def test_what_could_not_be_ordered_is_there_again_when_it_is_told() -> None:
    budget = OrderBudget()
    budget.update(61, 0)
    budget.take()
    budget.complete(is_placed=False)

    budget.update(61, budget.completed)

    assert (take_all(budget), budget.placed) == (1, 0)


def test_after_a_refill_there_is_as_much_as_at_first() -> None:
    budget = OrderBudget()
    budget.update(61, 0)
    budget.take()
    budget.complete(is_placed=True)

    budget.update(INITIAL_STOCK, budget.completed)

    assert (take_all(budget), budget.placed) == (40, 1)


def test_a_beginning_with_too_little_is_told_with_what_helps() -> None:
    warning = OrderBudget().update(60, 0)

    assert warning
    assert warning.startswith("No order can be placed: 60 of prod-456 are left, ")
    assert warning.endswith(REFILL_COMMAND)


def test_a_beginning_with_enough_for_one_is_no_news() -> None:
    assert OrderBudget().update(61, 0) is None


def test_that_there_is_nothing_left_later_is_no_news() -> None:
    budget = OrderBudget()
    budget.update(61, 0)

    assert budget.update(60, 0) is None


def test_what_others_order_is_not_taken() -> None:
    budget = OrderBudget()
    budget.update(INITIAL_STOCK, 0)

    budget.update(50, 0)

    assert take_all(budget) == 0


@given(st.lists(st.sampled_from(["take", "order", "answer", "ask", "tell"])), st.integers(50, INITIAL_STOCK))
def test_in_whatever_order_answers_come_enough_is_left(happenings: list[str], level: int) -> None:
    budget, stock = OrderBudget(), level
    sent, done = 0, 0
    asked = list[tuple[int, int]]()
    for happening in happenings:
        match happening:
            case "take":
                sent += budget.take()
            case "order" if sent:
                sent, done, stock = sent - 1, done + 1, stock - 1
            case "answer" if done:
                done -= 1
                budget.complete(is_placed=True)
            case "ask":
                asked.append((stock, budget.completed))
            case "tell" if asked:
                budget.update(*asked.pop())
            case _:
                pass

    assert stock - sent >= min(level, RESERVED_STOCK)
