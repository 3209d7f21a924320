"""Loader of custom apps, and its errors."""

import sys
from pathlib import Path
from typing import Final

import pytest
from fastapi import FastAPI

from gateway.cli.app_loader import AppLoadError, load_app
from gateway.settings import InvalidSettingsError


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


def load_broken(folder: Path, source: str) -> str:
    """Load the app in a module with *source*, and return the message of the error."""
    name = f"broken_{len([*folder.glob('broken_*.py')])}_{abs(hash(source))}"
    (folder / f"{name}.py").write_text(source)
    with pytest.raises(AppLoadError) as error:
        load_app(f"{name}:app")
    return str(error.value).replace(str(folder / name), "broken").replace(name, "broken")


HEAD: Final = "cannot load app 'broken:app': "


@pytest.mark.parametrize(
    ("source", "message", "code"),
    [
        ("raise ValueError('own\\nerror')", "ValueError: own error", "raise ValueError('own\\nerror')"),
        ("raise ValueError", "ValueError", "raise ValueError"),
        (
            "import not_there_at_all",
            "ModuleNotFoundError: No module named 'not_there_at_all'",
            "import not_there_at_all",
        ),
        (
            "import json; json.no",
            "AttributeError: module 'json' has no attribute 'no'",
            "import json; json.no",
        ),
        (
            "from gateway import create_app; app = create_app(service=[])",
            "TypeError: create_app() got an unexpected keyword argument 'service'",
            "from gateway import create_app; app = create_app(service=[])",
        ),
        (
            "from gateway import Route; Route('GET', 'x', None)",
            "invalid path 'x': expected a path such as '/orders' or '/orders/{order_id}'",
            "from gateway import Route; Route('GET', 'x', None)",
        ),
    ],
)
def test_error_of_the_app_is_one_line_and_its_frame(
    folder: Path, source: str, message: str, code: str
) -> None:
    assert load_broken(folder, f"\n{source}\n") == (
        f'{HEAD}{message}\n  File "broken.py", line 2, in <module>\n    {code}'
    )


def test_syntax_error_is_one_line_and_its_place(folder: Path) -> None:
    message = load_broken(folder, "\n  def f(:\n")

    assert message.startswith((f"{HEAD}SyntaxError: ", f"{HEAD}IndentationError: "))
    assert message.endswith('\n  File "broken.py", line 2\n    def f(:')


def test_innermost_frame_of_the_user_is_shown(folder: Path) -> None:
    source = "import json\ndef read():\n    json.loads('{')\nread()\n"

    assert load_broken(folder, source).endswith(
        "\n  File \"broken.py\", line 3, in read\n    json.loads('{')"
    )


CAUSED: Final = """
from gateway import RegistrationError
def fail():
    raise KeyError("cause")
try:
    fail()
except KeyError as error:
    raise RegistrationError("refused") from error
"""


def test_cause_of_the_gateways_own_error_is_shown(folder: Path) -> None:
    message = load_broken(folder, CAUSED)

    assert message.startswith(f"{HEAD}refused\n")
    assert message.endswith(', line 4, in fail\n    raise KeyError("cause")')


BREAKS_RULE: Final = """
from gateway import Route, create_app
from gateway.railway import Aggregate, Run, UpstreamFault, railway
@railway
async def broken(run: Run[UpstreamFault | Aggregate]) -> None:
    await run.stage("none", [])
app = create_app(services=[], pipelines=[Route("POST", "/broken", broken)])
"""


def test_broken_rule_of_a_pipeline_shows_its_frame_once(folder: Path) -> None:
    message = load_broken(folder, BREAKS_RULE)

    assert message.startswith(f"{HEAD}POST /broken: broken breaks a rule: ")
    assert message.count("\n") == 2
    assert message.endswith(', line 6, in broken\n    await run.stage("none", [])')


def test_invalid_settings_are_passed_on(folder: Path) -> None:
    source = "from gateway import create_app, load_settings\napp = create_app(load_settings(port=-1))\n"
    (folder / "invalid_settings.py").write_text(source)

    with pytest.raises(InvalidSettingsError):
        load_app("invalid_settings:app")


def test_app_loads_from_another_folder(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "found_there.py").write_text("from gateway.app import create_app\napp = create_app()\n")

    assert isinstance(load_app("found_there:app", "sub"), FastAPI)


def test_missing_folder_is_named(folder: Path) -> None:
    assert folder.is_dir()
    with pytest.raises(AppLoadError, match="nowhere is not a folder; choose another --app-dir"):
        load_app("main:app", "nowhere")
