"""Compose file and Dockerfile, as far as they can be checked without a container engine."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

import pytest
import yaml

from gateway.app import create_app
from gateway.settings import Settings, unknown_variables
from mock_services.catalogue import SERVICES, port_of
from tests.shipped_services import NAMES

ROOT: Final = Path(__file__).parents[2]
FILE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
COMPOSE: Final[dict[str, Any]] = FILE["services"]


class Stage(NamedTuple):
    """Build stage of the Dockerfile: its *base* image, and its other instructions."""

    base: str
    instructions: Sequence[tuple[str, str]]

    def list_arguments(self, keyword: str) -> Sequence[str]:
        return [arguments for word, arguments in self.instructions if word == keyword]


def parse_stages() -> Iterator[tuple[str, Stage]]:
    """Parse the Dockerfile; yield its stages by name, the unnamed last stage as `gateway`."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    for stage in re.split(r"^FROM ", text.replace("\\\n", ""), flags=re.MULTILINE)[1:]:
        first, *lines = filter(None, stage.splitlines())
        base, _, name = first.partition(" AS ")
        words = (line.partition(" ") for line in lines)
        yield name or "gateway", Stage(base, [(keyword, arguments) for keyword, _, arguments in words])


DOCKERFILE: Final = dict(parse_stages())
FINAL: Final = ("gateway", "load")
ENVIRONMENT: Final[Mapping[str, str]] = COMPOSE["gateway"]["environment"]
IGNORED: Final = (ROOT / ".dockerignore").read_text().splitlines()


def substitute_defaults(value: str) -> str:
    """Return *value* as Compose substitutes it if no variable is set."""
    return re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value)


def is_in_build_context(path: str) -> bool:
    """Return True unless .dockerignore excludes *path*: the last pattern that matches decides."""
    is_excluded = False
    for line in IGNORED:
        pattern = line.removeprefix("!").removeprefix("**/")
        if any(fnmatchcase(str(part), pattern) for part in (PurePosixPath(path), PurePosixPath(path).name)):
            is_excluded = not line.startswith("!")
    return not is_excluded


def test_compose_has_gateway_and_all_services() -> None:
    assert set(COMPOSE) == {"gateway", "load", "postgres", *SERVICES}


def test_gateway_has_url_of_each_service() -> None:
    urls = {f"GATEWAY_{name.upper()}_URL": f"http://{name}:{port_of(name)}" for name in SERVICES}

    assert urls.items() <= COMPOSE["gateway"]["environment"].items()


def test_gateway_waits_for_services_that_it_cannot_do_without() -> None:
    plans = [pipeline.spec.plan for pipeline in create_app().pipelines if pipeline.spec.plan is not None]
    needed = {call.service for plan in plans for call in plan.required_calls}

    assert set(SERVICES) - needed == {"notification", "analytics"}
    assert COMPOSE["gateway"]["depends_on"] == {
        name: {"condition": "service_healthy"} for name in SERVICES if name in needed
    }


def test_stop_grace_period_covers_commits() -> None:
    settings = Settings.model_construct()
    longest = (
        settings.drain_ms + settings.deadline_ms + settings.commit_budget_ms + settings.undo_budget_ms + 3000
    )

    assert COMPOSE["gateway"]["stop_grace_period"] == "60s"
    assert longest == 50_000  # documented in docs/operations.md


def test_gateway_port_is_published() -> None:
    assert COMPOSE["gateway"]["ports"] == ["8000:8000"]
    assert DOCKERFILE["gateway"].list_arguments("EXPOSE") == ["8000"]
    assert Settings.model_fields["port"].default == 8000


def test_gateway_environment_has_only_settings() -> None:
    assert [*unknown_variables(ENVIRONMENT, NAMES)] == []
    assert all(name.startswith("GATEWAY_") for name in ENVIRONMENT)


def test_compose_defaults_match_settings() -> None:
    overridable = {
        name: value for name, value in ENVIRONMENT.items() if "$" in value and name != "GATEWAY_JOURNAL_URL"
    }
    values = {name: substitute_defaults(value) for name, value in overridable.items()}

    defaults = {f"GATEWAY_{name.upper()}": field.default for name, field in Settings.model_fields.items()}
    assert values == {name: str(defaults[name] or "") for name in overridable}
    assert all(value.startswith(f"${{{name}:-") for name, value in overridable.items())
    assert set(overridable) == {
        "GATEWAY_OPERATOR_TOKEN",
        "GATEWAY_ACCESS_LOG",
        "GATEWAY_LOG_FORMAT",
        "GATEWAY_JOURNAL_MAX_MB",
        "GATEWAY_DEADLINE_MS",
        "GATEWAY_CALL_TIMEOUT_MS",
        "GATEWAY_MAX_CONCURRENCY",
        "GATEWAY_MAX_IN_FLIGHT",
        "GATEWAY_RATE_LIMIT_PER_MINUTE",
    }


@pytest.mark.parametrize("name", SERVICES)
def test_mock_latency_scale_is_overridable(name: str) -> None:
    assert COMPOSE[name]["environment"] == {"MOCK_LATENCY_SCALE": "${MOCK_LATENCY_SCALE:-1}"}


def test_locust_runs_only_in_load_profile() -> None:
    load = COMPOSE["load"]

    assert load["profiles"] == ["load"]
    assert load["build"] == {"context": ".", "target": "load"}
    assert load["command"] == "--host http://gateway:8000"
    assert load["depends_on"] == {"gateway": {"condition": "service_healthy"}}
    assert load["ports"] == ["127.0.0.1:8089:8089"]
    assert DOCKERFILE["load"].list_arguments("EXPOSE") == ["8089"]
    assert [name for name in COMPOSE if "profiles" in COMPOSE[name]] == ["load", "postgres"]


def test_journal_is_a_file_on_a_named_volume() -> None:
    (environment,) = DOCKERFILE["gateway"].list_arguments("ENV")
    url = substitute_defaults(ENVIRONMENT["GATEWAY_JOURNAL_URL"])

    assert url == "sqlite:////data/gateway-journal.sqlite"
    assert f"GATEWAY_JOURNAL_URL={url}" in shlex.split(environment)
    assert COMPOSE["gateway"]["volumes"] == ["journal:/data"]
    assert "journal" in FILE["volumes"]


def test_folder_of_journal_belongs_to_user_of_image() -> None:
    """A named volume takes over the owner and the mode of the image's folder."""
    (user,) = DOCKERFILE["gateway"].list_arguments("USER")

    assert "mkdir -p -m 0700 /volumes/data" in DOCKERFILE["build"].list_arguments("RUN")
    assert f"--from=build --chown={user} /volumes /" in DOCKERFILE["gateway"].list_arguments("COPY")


def test_journal_may_be_on_postgresql() -> None:
    """Only the profile `postgres` runs the server, for the URL that the first lines of the file name."""
    postgres, environment = COMPOSE["postgres"], COMPOSE["postgres"]["environment"]
    password = substitute_defaults(environment["POSTGRES_PASSWORD"])
    url = f"postgresql://{environment['POSTGRES_USER']}:{password}@postgres/{environment['POSTGRES_DB']}"

    assert postgres["profiles"] == ["postgres"]
    assert "pg_isready" in postgres["healthcheck"]["test"]
    assert postgres["volumes"] == ["postgres:/var/lib/postgresql/data"]
    assert "postgres" in FILE["volumes"]
    assert "ports" not in postgres
    command = f"GATEWAY_JOURNAL_URL={url} docker compose --profile postgres up --build"
    assert command in (ROOT / "docker-compose.yml").read_text()
    assert command in (ROOT / "README.md").read_text()


def test_image_has_driver_of_postgresql() -> None:
    commands = [shlex.split(line) for line in DOCKERFILE["build"].list_arguments("RUN")]

    assert [command for command in commands if command[-1] == ".[postgres]"]


@pytest.mark.parametrize("name", ["gateway", *SERVICES])
def test_gateway_and_services_use_gateway_image(name: str) -> None:
    assert COMPOSE[name]["build"] == "."
    assert [*DOCKERFILE][-1] == "gateway"


@pytest.mark.parametrize("name", [*SERVICES, "load"])
def test_only_gateway_port_is_public(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE[name]["ports"])


@pytest.mark.parametrize("name", SERVICES)
def test_mock_service_listens_on_its_port(name: str) -> None:
    port = port_of(name)

    assert COMPOSE[name]["command"] == f"python3 -m mock_services {name} --host 0.0.0.0"
    assert COMPOSE[name]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"http://127.0.0.1:{port}/health" in COMPOSE[name]["healthcheck"]["test"][-1]


@pytest.mark.parametrize("name", COMPOSE)
def test_containers_are_read_only_and_unprivileged(name: str) -> None:
    assert COMPOSE[name]["read_only"]
    assert COMPOSE[name]["cap_drop"] == ["ALL"]
    assert COMPOSE[name]["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", COMPOSE)
def test_containers_have_an_init_process(name: str) -> None:
    assert COMPOSE[name]["init"] is True


@pytest.mark.parametrize("name", FINAL)
def test_image_runs_as_numeric_non_root_user(name: str) -> None:
    *_, user = DOCKERFILE[name].list_arguments("USER")

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


@pytest.mark.parametrize("name", FINAL)
def test_image_only_copies_build_results(name: str) -> None:
    stage = DOCKERFILE[name]

    added = (*stage.list_arguments("COPY"), *stage.list_arguments("ADD"))
    assert stage.base == "runtime"
    assert stage.list_arguments("RUN") == []
    assert [path for path in added if not path.startswith("--from=build")] == (
        ["locustfile.py /load/locustfile.py", "load /load/load"] if name == "load" else []
    )


def list_removed_patterns(stage: str) -> Sequence[str]:
    """Return the patterns of the files that the *stage* removes."""
    commands = [shlex.split(line) for line in DOCKERFILE[stage].list_arguments("RUN")]
    return [word for command in commands if command[:2] == ["rm", "-rf"] for word in command[2:]]


@pytest.mark.parametrize(
    "path",
    [
        "/usr/local/bin/pip",
        "/usr/local/bin/pip3",
        "/usr/local/bin/pip3.13",
        "{lib}/site-packages/pip",
        "{lib}/site-packages/pip-26.0.dist-info",
        "{lib}/ensurepip",
    ],
)
def test_runtime_stage_removes_pip(path: str) -> None:
    python = re.fullmatch(r"python:(3\.\d+)-slim", DOCKERFILE["runtime"].base)
    assert python
    file = path.format(lib=f"/usr/local/lib/python{python[1]}")

    assert any(fnmatchcase(file, pattern) for pattern in list_removed_patterns("runtime"))


@pytest.mark.parametrize("path", ["/usr/local/bin/python3", "/usr/local/lib/python3.13/pipes.py"])
def test_runtime_stage_keeps_python(path: str) -> None:
    assert not any(fnmatchcase(path, pattern) for pattern in list_removed_patterns("runtime"))


@pytest.mark.parametrize(("name", "venv"), [("build", "/opt/gateway"), ("build-load", "/opt/locust")])
def test_virtual_environment_has_no_pip(name: str, venv: str) -> None:
    *_, last = DOCKERFILE[name].list_arguments("RUN")[-1].split("&&")

    assert shlex.split(last)[:2] == [f"{venv}/bin/pip", "uninstall"]
    assert shlex.split(last)[-1] == "pip"
    assert f"--from={name} {venv} {venv}" in list_copies()


def list_copies() -> Iterator[str]:
    for stage in DOCKERFILE.values():
        yield from stage.list_arguments("COPY")


def test_copied_paths_are_in_build_context() -> None:
    sources = {source for copy in list_copies() if "--from" not in copy for source in shlex.split(copy)[:-1]}

    assert sources >= {"gateway", "mock_services", "locustfile.py", "constraints.txt"}
    assert [
        source for source in sources if not (ROOT / source).exists() or not is_in_build_context(source)
    ] == []


@pytest.mark.parametrize(
    "path",
    [
        ".git",
        ".venv",
        "tests",
        "gateway/__pycache__",
        "mock_services/__pycache__",
        "gateway-journal.sqlite",
        "gateway/gateway-journal.sqlite-wal",
    ],
)
def test_dockerignore_excludes_unneeded_paths(path: str) -> None:
    assert not is_in_build_context(path)


@pytest.mark.parametrize("name", [".gitignore", ".dockerignore"])
def test_default_journal_is_ignored(name: str) -> None:
    patterns = [line.removeprefix("**/") for line in (ROOT / name).read_text().splitlines()]

    assert "gateway-journal.sqlite*" in patterns
    assert (
        Settings.model_fields["journal_url"].default.get_secret_value() == "sqlite:///gateway-journal.sqlite"
    )


def test_gateway_image_listens_on_all_interfaces() -> None:
    (environment,) = DOCKERFILE["gateway"].list_arguments("ENV")
    (command,) = DOCKERFILE["gateway"].list_arguments("CMD")

    assert "GATEWAY_HOST=0.0.0.0" in shlex.split(environment)
    assert json.loads(command) == ["gateway", "serve"]


def test_load_image_runs_locust() -> None:
    load = DOCKERFILE["load"]

    assert load.list_arguments("WORKDIR") == ["/load"]
    assert [json.loads(entry) for entry in load.list_arguments("ENTRYPOINT")] == [["/opt/locust/bin/locust"]]


def test_gateway_image_has_health_check() -> None:
    gateway = DOCKERFILE["gateway"]
    (port,) = gateway.list_arguments("EXPOSE")
    (check,) = gateway.list_arguments("HEALTHCHECK")

    assert f"http://127.0.0.1:{port}/health/live" in check
