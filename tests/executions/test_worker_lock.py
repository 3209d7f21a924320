"""One worker, as long as commits are remembered by its process."""

import multiprocessing
import os
import tempfile
from pathlib import Path

import pytest

from gateway.executions.worker_lock import SecondWorkerError, find_supervisor, hold_worker_lock


def test_who_is_nobodys_worker_is_alone(tmp_path: Path) -> None:
    with hold_worker_lock(None, tmp_path), hold_worker_lock(None, tmp_path):
        assert [*tmp_path.iterdir()] == []


def test_the_second_of_a_family_is_refused_and_told_why(tmp_path: Path) -> None:
    refused = pytest.raises(SecondWorkerError, match=r"run one worker .* \(uvicorn --workers 1\)")

    with hold_worker_lock(4711, tmp_path), refused, hold_worker_lock(4711, tmp_path):
        raise AssertionError


def test_the_place_is_free_again_at_the_end(tmp_path: Path) -> None:
    for _ in range(2):
        with hold_worker_lock(4711, tmp_path):
            pass


def test_the_place_is_not_free_after_a_refusal_but_at_the_end(tmp_path: Path) -> None:
    with hold_worker_lock(4711, tmp_path):
        for _ in range(2):
            with pytest.raises(SecondWorkerError), hold_worker_lock(4711, tmp_path):
                raise AssertionError
    with hold_worker_lock(4711, tmp_path):
        pass


def test_two_families_do_not_know_each_other(tmp_path: Path) -> None:
    with hold_worker_lock(4711, tmp_path), hold_worker_lock(4712, tmp_path):
        pass


def test_what_somebody_else_has_put_there_is_not_emptied(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (tmp_path / f"fanout-gateway-{os.getuid()}-4711.lock").symlink_to(precious)

    with hold_worker_lock(4711, tmp_path):
        pass

    assert precious.read_text() == "kept"


def test_the_file_is_where_temporary_files_are() -> None:
    with hold_worker_lock(os.getpid()):
        lock = Path(tempfile.gettempdir()) / f"fanout-gateway-{os.getuid()}-{os.getpid()}.lock"
        assert lock.exists()
    lock.unlink()


def test_this_process_is_nobodys_worker() -> None:
    assert find_supervisor() is None


def test_the_family_of_a_worker_is_who_has_made_it() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(find_supervisor)
        pool.close()
        pool.join()

    assert found == os.getpid()


def test_the_family_of_a_worker_of_gunicorn_is_who_has_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_SOFTWARE", "gunicorn/23.0.0")

    assert find_supervisor() == os.getppid()
