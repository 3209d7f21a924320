"""Lock that allows a server a single worker process."""

import multiprocessing
import os
import tempfile
from pathlib import Path

import pytest

from gateway.executions.worker_lock import SecondWorkerError, find_supervisor, hold_worker_lock


def test_lone_process_needs_no_lock(tmp_path: Path) -> None:
    with hold_worker_lock(None, tmp_path), hold_worker_lock(None, tmp_path):
        assert [*tmp_path.iterdir()] == []


def test_second_worker_is_refused(tmp_path: Path) -> None:
    refused = pytest.raises(SecondWorkerError, match=r"run one worker .* \(uvicorn --workers 1\)")

    with hold_worker_lock(4711, tmp_path), refused, hold_worker_lock(4711, tmp_path):
        raise AssertionError


def test_worker_lock_is_released_at_end(tmp_path: Path) -> None:
    for _ in range(2):
        with hold_worker_lock(4711, tmp_path):
            pass


def test_refused_worker_does_not_release_lock(tmp_path: Path) -> None:
    with hold_worker_lock(4711, tmp_path):
        for _ in range(2):
            with pytest.raises(SecondWorkerError), hold_worker_lock(4711, tmp_path):
                raise AssertionError
    with hold_worker_lock(4711, tmp_path):
        pass


def test_supervisors_have_separate_locks(tmp_path: Path) -> None:
    with hold_worker_lock(4711, tmp_path), hold_worker_lock(4712, tmp_path):
        pass


def test_worker_lock_does_not_truncate_linked_file(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (tmp_path / f"fanout-gateway-{os.getuid()}-4711.lock").symlink_to(precious)

    with hold_worker_lock(4711, tmp_path):
        pass

    assert precious.read_text() == "kept"


def test_worker_lock_is_file_in_temporary_folder() -> None:
    with hold_worker_lock(os.getpid()):
        lock = Path(tempfile.gettempdir()) / f"fanout-gateway-{os.getuid()}-{os.getpid()}.lock"
        assert lock.exists()
    lock.unlink()


def test_plain_process_has_no_supervisor() -> None:
    assert find_supervisor() is None


def test_spawned_worker_finds_supervisor() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(find_supervisor)
        pool.close()
        pool.join()

    assert found == os.getpid()


def test_gunicorn_worker_finds_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_SOFTWARE", "gunicorn/23.0.0")

    assert find_supervisor() == os.getppid()
