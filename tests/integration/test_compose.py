"""What the compose file and the Dockerfile say, as far as that can be known without an engine."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

import pytest
import yaml

from gateway.settings import Settings, unknown_variables
from mock_services.catalogue import SERVICES, port_of
from tests.shipped_services import NAMES

ROOT: Final = Path(__file__).parents[2]
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


class Stage(NamedTuple):
    """A stage of the Dockerfile: what it is made *of*, and its other instructions."""

    of: str
    instructions: Sequence[tuple[str, str]]

    def all(self, keyword: str) -> Sequence[str]:
        return [arguments for word, arguments in self.instructions if word == keyword]


def stages() -> Iterator[tuple[str, Stage]]:
    """Read the Dockerfile: its stages by name, the last of them, which is the gateway's, as `gateway`."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    for stage in re.split(r"^FROM ", text.replace("\\\n", ""), flags=re.MULTILINE)[1:]:
        first, *lines = filter(None, stage.splitlines())
        of, _, name = first.partition(" AS ")
        words = (line.partition(" ") for line in lines)
        yield name or "gateway", Stage(of, [(keyword, arguments) for keyword, _, arguments in words])


DOCKERFILE: Final = dict(stages())
FINAL: Final = ("gateway", "load")
ENVIRONMENT: Final[Mapping[str, str]] = COMPOSE["gateway"]["environment"]
IGNORED: Final = (ROOT / ".dockerignore").read_text().splitlines()


def by_default(value: str) -> str:
    """Give what Compose makes of *value* where nothing is set."""
    return re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value)


def is_sent(path: str) -> bool:
    """Tell whether *path* gets past .dockerignore, of whose patterns the last that matches counts."""
    is_left_out = False
    for line in IGNORED:
        pattern = line.removeprefix("!").removeprefix("**/")
        if any(fnmatchcase(str(part), pattern) for part in (PurePosixPath(path), PurePosixPath(path).name)):
            is_left_out = not line.startswith("!")
    return not is_left_out


def test_the_gateway_and_every_mock_service_are_in_it() -> None:
    assert set(COMPOSE) == {"gateway", "load", *SERVICES}


def test_the_gateway_knows_where_each_service_is() -> None:
    urls = {f"GATEWAY_{name.upper()}_URL": f"http://{name}:{port_of(name)}" for name in SERVICES}

    assert urls.items() <= COMPOSE["gateway"]["environment"].items()


def test_the_gateway_waits_until_every_service_is_healthy() -> None:
    assert COMPOSE["gateway"]["depends_on"] == {name: {"condition": "service_healthy"} for name in SERVICES}


def test_the_gateway_has_time_to_finish_or_undo_what_it_writes() -> None:
    settings = Settings.model_construct()
    longest = (
        settings.drain_ms + settings.deadline_ms + settings.commit_budget_ms + settings.undo_budget_ms + 3000
    )

    assert COMPOSE["gateway"]["stop_grace_period"] == "60s"
    assert longest == 50_000  # as the README says


def test_the_gateway_is_published_on_its_port() -> None:
    assert COMPOSE["gateway"]["ports"] == ["8000:8000"]
    assert DOCKERFILE["gateway"].all("EXPOSE") == ["8000"]
    assert Settings.model_fields["port"].default == 8000


def test_all_that_the_gateway_is_told_is_a_setting() -> None:
    assert [*unknown_variables(ENVIRONMENT, NAMES)] == []
    assert all(name.startswith("GATEWAY_") for name in ENVIRONMENT)


def test_what_can_be_set_from_outside_has_its_own_name_and_default() -> None:
    from_outside = {name: value for name, value in ENVIRONMENT.items() if "$" in value}
    given = {name: by_default(value) for name, value in from_outside.items()}

    defaults = {f"GATEWAY_{name.upper()}": one.default for name, one in Settings.model_fields.items()}
    assert given == {name: str(defaults[name] or "") for name in from_outside}
    assert all(value.startswith(f"${{{name}:-") for name, value in from_outside.items())
    assert set(from_outside) == {
        "GATEWAY_OPERATOR_TOKEN",
        "GATEWAY_DEADLINE_MS",
        "GATEWAY_CALL_TIMEOUT_MS",
        "GATEWAY_MAX_CONCURRENCY",
        "GATEWAY_MAX_IN_FLIGHT",
        "GATEWAY_RATE_LIMIT_PER_MINUTE",
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_mock_service_is_as_slow_as_is_said_from_outside(name: str) -> None:
    assert COMPOSE[name]["environment"] == {"MOCK_LATENCY_SCALE": "${MOCK_LATENCY_SCALE:-1}"}


def test_locust_starts_only_when_asked_for_and_loads_the_gateway_once_it_is_healthy() -> None:
    load = COMPOSE["load"]

    assert load["profiles"] == ["load"]
    assert load["build"] == {"context": ".", "target": "load"}
    assert load["command"] == "--host http://gateway:8000"
    assert load["depends_on"] == {"gateway": {"condition": "service_healthy"}}
    assert load["ports"] == ["127.0.0.1:8089:8089"]
    assert DOCKERFILE["load"].all("EXPOSE") == ["8089"]
    assert [name for name in COMPOSE if "profiles" in COMPOSE[name]] == ["load"]


@pytest.mark.parametrize("name", ["gateway", *SERVICES])
def test_all_others_are_built_from_the_last_stage(name: str) -> None:
    assert COMPOSE[name]["build"] == "."
    assert [*DOCKERFILE][-1] == "gateway"


@pytest.mark.parametrize("name", [*SERVICES, "load"])
def test_everything_but_the_gateway_is_published_on_this_machine_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE[name]["ports"])


@pytest.mark.parametrize("name", SERVICES)
def test_each_mock_service_listens_where_it_is_looked_for(name: str) -> None:
    port = port_of(name)

    assert COMPOSE[name]["command"] == f"python3 -m mock_services {name} --host 0.0.0.0"
    assert COMPOSE[name]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"http://127.0.0.1:{port}/health" in COMPOSE[name]["healthcheck"]["test"][-1]


@pytest.mark.parametrize("name", COMPOSE)
def test_no_container_can_write_to_its_image_or_gain_privileges(name: str) -> None:
    assert COMPOSE[name]["read_only"]
    assert COMPOSE[name]["cap_drop"] == ["ALL"]
    assert COMPOSE[name]["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", COMPOSE)
def test_every_container_has_somebody_who_passes_signals_on_and_buries_the_dead(name: str) -> None:
    assert COMPOSE[name]["init"] is True


@pytest.mark.parametrize("name", FINAL)
def test_an_image_runs_as_a_user_who_is_a_number_and_not_root(name: str) -> None:
    *_, user = DOCKERFILE[name].all("USER")

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


@pytest.mark.parametrize("name", FINAL)
def test_an_image_has_what_was_built_elsewhere_and_nothing_to_build_with(name: str) -> None:
    stage = DOCKERFILE[name]

    added = (*stage.all("COPY"), *stage.all("ADD"))
    assert stage.of == "runtime"
    assert stage.all("RUN") == []
    assert [path for path in added if not path.startswith("--from=build")] == (
        ["locustfile.py /load/locustfile.py", "load /load/load"] if name == "load" else []
    )


def removed(stage: str) -> Sequence[str]:
    """Give the patterns of what the stage removes."""
    commands = [shlex.split(line) for line in DOCKERFILE[stage].all("RUN")]
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
def test_what_images_are_made_of_has_neither_a_pip_nor_what_could_bring_it_back(path: str) -> None:
    python = re.fullmatch(r"python:(3\.\d+)-slim", DOCKERFILE["runtime"].of)
    assert python
    found = path.format(lib=f"/usr/local/lib/python{python[1]}")

    assert any(fnmatchcase(found, pattern) for pattern in removed("runtime"))


@pytest.mark.parametrize("path", ["/usr/local/bin/python3", "/usr/local/lib/python3.13/pipes.py"])
def test_what_else_is_in_them_stays(path: str) -> None:
    assert not any(fnmatchcase(path, pattern) for pattern in removed("runtime"))


@pytest.mark.parametrize(("name", "venv"), [("build", "/opt/gateway"), ("build-load", "/opt/locust")])
def test_what_was_built_has_no_pip_left(name: str, venv: str) -> None:
    *_, last = DOCKERFILE[name].all("RUN")[-1].split("&&")

    assert shlex.split(last)[:2] == [f"{venv}/bin/pip", "uninstall"]
    assert shlex.split(last)[-1] == "pip"
    assert f"--from={name} {venv} {venv}" in copies()


def copies() -> Iterator[str]:
    for stage in DOCKERFILE.values():
        yield from stage.all("COPY")


def test_everything_that_is_copied_is_there_and_is_sent_to_be() -> None:
    sources = {source for copied in copies() if "--from" not in copied for source in shlex.split(copied)[:-1]}

    assert sources >= {"gateway", "mock_services", "locustfile.py", "constraints.txt"}
    assert [source for source in sources if not (ROOT / source).exists() or not is_sent(source)] == []


@pytest.mark.parametrize(
    "path", [".git", ".venv", "tests", "gateway/__pycache__", "mock_services/__pycache__"]
)
def test_nothing_else_is_sent(path: str) -> None:
    assert not is_sent(path)


def test_the_image_of_the_gateway_serves_whoever_asks() -> None:
    (environment,) = DOCKERFILE["gateway"].all("ENV")
    (command,) = DOCKERFILE["gateway"].all("CMD")

    assert "GATEWAY_HOST=0.0.0.0" in shlex.split(environment)
    assert json.loads(command) == ["gateway", "serve"]


def test_the_image_of_locust_has_what_it_loads_with() -> None:
    load = DOCKERFILE["load"]

    assert load.all("WORKDIR") == ["/load"]
    assert [json.loads(entry) for entry in load.all("ENTRYPOINT")] == [["/opt/locust/bin/locust"]]


def test_the_image_of_the_gateway_says_how_its_health_is_asked_for() -> None:
    gateway = DOCKERFILE["gateway"]
    (port,) = gateway.all("EXPOSE")
    (check,) = gateway.all("HEALTHCHECK")

    assert f"http://127.0.0.1:{port}/health/live" in check
