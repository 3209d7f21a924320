"""What the compose file and the Dockerfile say, as far as that can be known without an engine."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml

from gateway.settings import Settings
from mock_services.catalogue import SERVICES, port_of

ROOT: Final = Path(__file__).parents[1]
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
IGNORED: Final = (ROOT / ".dockerignore").read_text().splitlines()


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


def test_the_gateway_and_every_mock_service_are_in_it() -> None:
    assert set(COMPOSE) == {"gateway", "load", *SERVICES}


def test_the_gateway_knows_where_each_service_is() -> None:
    urls = {f"GATEWAY_{name.upper()}_URL": f"http://{name}:{port_of(name)}" for name in SERVICES}

    assert urls.items() <= COMPOSE["gateway"]["environment"].items()


def test_the_gateway_waits_until_every_service_is_healthy() -> None:
    assert COMPOSE["gateway"]["depends_on"] == {name: {"condition": "service_healthy"} for name in SERVICES}


def test_the_gateway_has_time_to_finish_or_undo_what_it_writes() -> None:
    settings = Settings.model_construct()
    longest = settings.deadline_ms + settings.commit_budget_ms + settings.undo_budget_ms

    assert COMPOSE["gateway"]["stop_grace_period"] == "60s"
    assert longest < 60_000


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


def test_what_is_copied_into_an_image_is_not_kept_from_docker() -> None:
    copied = [words for stage in DOCKERFILE.values() for words in stage.all("COPY")]

    needed = {path for words in copied if "--from=" not in words for path in words.split()[:-1]}
    assert needed <= {line.removeprefix("!") for line in IGNORED if line.startswith("!")}


def test_no_image_has_pip_neither_its_own_nor_that_of_what_it_is_made_of() -> None:
    python = DOCKERFILE["runtime"].of.replace(":", "").removesuffix("-slim")
    (of_base,) = DOCKERFILE["runtime"].all("RUN")
    of_built = [DOCKERFILE[name].all("RUN")[-1] for name in ("build", "build-load")]

    assert of_base == f"rm -rf /usr/local/bin/pip* /usr/local/lib/{python}/site-packages/pip*"
    assert all(re.search(r"&& /opt/\w+/bin/pip uninstall .*pip$", built) for built in of_built)


def test_the_image_of_the_gateway_says_how_its_health_is_asked_for() -> None:
    gateway = DOCKERFILE["gateway"]
    (port,) = gateway.all("EXPOSE")
    (check,) = gateway.all("HEALTHCHECK")

    assert f"http://127.0.0.1:{port}/health/live" in check
