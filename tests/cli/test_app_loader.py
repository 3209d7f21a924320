"""Where an app of one's own is found, and what is said where there is none."""

import sys
from pathlib import Path

import pytest
from fastapi import FastAPI

from gateway.cli.app_loader import AppNotFoundError, load_app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def test_an_app_is_found_where_one_is(folder: Path) -> None:
    (folder / "found_here.py").write_text("from gateway.app import create_app\napp = create_app()\n")

    assert isinstance(load_app("found_here:app"), FastAPI)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("not_there:app", "there is no app 'not_there:app': No module named 'not_there'"),
        ("json:app", "there is no app 'json:app': module 'json' has no attribute 'app'"),
        ("json", "there is no app 'json': it is named as MODULE:NAME"),
        (":app", "there is no app ':app': it is named as MODULE:NAME"),
        (".here:app", "there is no app '.here:app': it is named as MODULE:NAME"),
        ("a b:app", "there is no app 'a b:app': No module named 'a b'"),
        (
            "json.no:app",
            "there is no app 'json.no:app': No module named 'json.no'",
        ),
        (
            "sys.no:app",
            "there is no app 'sys.no:app': No module named 'sys.no'; 'sys' is not a package",
        ),
        ("json:loads", "'json:loads' is no FastAPI app, but of type function"),
        ("plain:app", "'plain:app' is an app that create_app has not made (gateway.app.create_app)"),
    ],
)
def test_what_is_no_app_is_told(folder: Path, name: str, message: str) -> None:
    (folder / "plain.py").write_text("from fastapi import FastAPI\napp = FastAPI()\n")

    with pytest.raises(AppNotFoundError) as error:
        load_app(name)

    assert str(error.value) == message


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("raise ValueError('of mine')", ValueError),
        ("import not_there_at_all", ModuleNotFoundError),
        ("import json.not_there_at_all", ModuleNotFoundError),
        ("from json import not_there_at_all", ImportError),
        ("import json; json.not_there_at_all", AttributeError),
    ],
)
def test_what_an_app_of_ones_own_raises_is_not_hidden(
    folder: Path, line: str, error: type[Exception]
) -> None:
    (folder / "raises_here.py").write_text(f"{line}\n")

    with pytest.raises(error):
        load_app("raises_here:app")
