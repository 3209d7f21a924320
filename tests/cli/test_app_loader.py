"""Loader of custom apps, and its errors."""

import sys
from pathlib import Path

import pytest
from fastapi import FastAPI

from gateway.cli.app_loader import AppLoadError, load_app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def test_app_loads_from_current_directory(folder: Path) -> None:
    (folder / "found_here.py").write_text("from gateway.app import create_app\napp = create_app()\n")

    assert isinstance(load_app("found_here:app"), FastAPI)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("not_there:app", "cannot load app 'not_there:app': No module named 'not_there'"),
        ("json:app", "cannot load app 'json:app': module 'json' has no attribute 'app'"),
        ("json", "cannot load app 'json': expected MODULE:NAME, such as main:app"),
        (":app", "cannot load app ':app': expected MODULE:NAME, such as main:app"),
        (".here:app", "cannot load app '.here:app': expected MODULE:NAME, such as main:app"),
        ("a b:app", "cannot load app 'a b:app': No module named 'a b'"),
        (
            "json.no:app",
            "cannot load app 'json.no:app': No module named 'json.no'",
        ),
        (
            "sys.no:app",
            "cannot load app 'sys.no:app': No module named 'sys.no'; 'sys' is not a package",
        ),
        (
            "json:loads",
            "cannot load app 'json:loads': expected an app created by gateway.create_app, got function",
        ),
        (
            "plain:app",
            "cannot load app 'plain:app': expected an app created by gateway.create_app, got FastAPI",
        ),
    ],
)
def test_load_error_names_app_and_reason(folder: Path, name: str, message: str) -> None:
    (folder / "plain.py").write_text("from fastapi import FastAPI\napp = FastAPI()\n")

    with pytest.raises(AppLoadError) as error:
        load_app(name)

    assert str(error.value) == message


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("raise ValueError('own error')", ValueError),
        ("import not_there_at_all", ModuleNotFoundError),
        ("import json.not_there_at_all", ModuleNotFoundError),
        ("from json import not_there_at_all", ImportError),
        ("import json; json.not_there_at_all", AttributeError),
    ],
)
def test_app_module_exceptions_propagate(folder: Path, line: str, error: type[Exception]) -> None:
    (folder / "raises_here.py").write_text(f"{line}\n")

    with pytest.raises(error):
        load_app("raises_here:app")
