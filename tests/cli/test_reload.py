"""Files that `--reload` watches, and their changes."""

from pathlib import Path

from gateway.cli.reload import find_changes, list_python_files


def test_python_files_outside_environments_are_watched(tmp_path: Path) -> None:
    for name in (
        "main.py",
        "package/module.py",
        ".hidden/a.py",
        "__pycache__/b.py",
        "env/lib/c.py",
        "notes.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "env" / "pyvenv.cfg").touch()

    watched = {path.relative_to(tmp_path).as_posix() for path in list_python_files(tmp_path)}
    assert watched == {"main.py", "package/module.py"}


def test_added_changed_and_removed_files_are_changes() -> None:
    before = {Path("a.py"): 1, Path("b.py"): 1, Path("c.py"): 1}
    after = {Path("b.py"): 2, Path("c.py"): 1, Path("d.py"): 1}

    assert find_changes(before, after) == [Path("a.py"), Path("b.py"), Path("d.py")]
    assert find_changes(before, before) == []
