"""Order budget: the number of orders that can be placed."""

from hypothesis import given
from hypothesis import strategies as st

from load.order_budget import INITIAL_STOCK, REFILL_COMMAND, RESERVED_STOCK, OrderBudget


def take_all(budget: OrderBudget) -> int:
    """Take all available items; return their number."""
    count = 0
    while budget.take():
        count += 1
    return count


def test_unknown_stock_level_allows_no_order() -> None:
    budget = OrderBudget()

    assert not budget.take()
    assert not budget.is_known


def test_order_budget_leaves_reserved_stock() -> None:
    budget = OrderBudget()

    budget.update(INITIAL_STOCK, 0)

    assert take_all(budget) == INITIAL_STOCK - RESERVED_STOCK == 40


def test_order_in_flight_is_subtracted_from_level() -> None:
    budget = OrderBudget()
    budget.update(63, 0)
    budget.take()
    completed_before = budget.completed
    budget.take()
    budget.complete(is_placed=True)

    budget.update(63, completed_before)

    assert take_all(budget) == 1


def test_item_of_failed_order_is_available_again() -> None:
    budget = OrderBudget()
    budget.update(61, 0)
    budget.take()
    budget.complete(is_placed=False)

    budget.update(61, budget.completed)

    assert (take_all(budget), budget.placed) == (1, 0)


def test_refill_restores_budget() -> None:
    budget = OrderBudget()
    budget.update(61, 0)
    budget.take()
    budget.complete(is_placed=True)

    budget.update(INITIAL_STOCK, budget.completed)

    assert (take_all(budget), budget.placed) == (40, 1)


def test_initial_shortage_warns_with_refill_command() -> None:
    warning = OrderBudget().update(60, 0)

    assert warning
    assert warning.startswith("No order can be placed: 60 of prod-456 are left, ")
    assert warning.endswith(REFILL_COMMAND)


def test_sufficient_initial_stock_does_not_warn() -> None:
    assert OrderBudget().update(61, 0) is None


def test_later_shortage_does_not_warn() -> None:
    budget = OrderBudget()
    budget.update(61, 0)

    assert budget.update(60, 0) is None


def test_orders_of_other_clients_reduce_budget() -> None:
    budget = OrderBudget()
    budget.update(INITIAL_STOCK, 0)

    budget.update(50, 0)

    assert take_all(budget) == 0


@given(
    st.lists(st.sampled_from(["take", "place", "complete", "request level", "report level"])),
    st.integers(50, INITIAL_STOCK),
)
def test_reserved_stock_survives_any_event_sequence(events: list[str], level: int) -> None:
    """The reserved stock is never ordered, regardless of the order in which responses arrive."""
    budget, stock = OrderBudget(), level
    sent, done = 0, 0
    requested = list[tuple[int, int]]()
    for event in events:
        match event:
            case "take":
                sent += budget.take()
            case "place" if sent:
                sent, done, stock = sent - 1, done + 1, stock - 1
            case "complete" if done:
                done -= 1
                budget.complete(is_placed=True)
            case "request level":
                requested.append((stock, budget.completed))
            case "report level" if requested:
                budget.update(*requested.pop())
            case _:
                pass

    assert stock - sent >= min(level, RESERVED_STOCK)
