"""Pause before a worker is replaced."""

from gateway.cli.workers.restart_pause import RestartPause


def test_pause_doubles_up_to_thirty_seconds() -> None:
    pause = RestartPause()

    chosen = [pause.choose(lifetime=1) for _ in range(9)]
    assert chosen == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30]
    assert pause.choose(lifetime=1) == 30


def test_worker_that_lived_for_a_minute_is_replaced_soon() -> None:
    pause = RestartPause()
    for _ in range(9):
        pause.choose(lifetime=1)

    assert [pause.choose(lifetime=60), pause.choose(lifetime=1)] == [0.2, 0.4]
