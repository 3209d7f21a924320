"""What can be set, and what is refused at start."""

import pytest
from pydantic import ValidationError

from gateway.settings import Settings, unknown_variables
from mock_services.catalogue import SERVICES as MOCKS
from mock_services.catalogue import port_of


def test_out_of_the_box_everything_is_on_this_machine() -> None:
    settings = Settings()

    assert settings.host == "127.0.0.1"
    assert [*settings.urls.items()] == [(name, f"http://127.0.0.1:{port_of(name)}") for name in MOCKS]


def test_variables_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_DEADLINE_MS", "1500")
    monkeypatch.setenv("GATEWAY_USER_URL", "https://users.example/v2/")

    settings = Settings()

    assert settings.deadline_ms == 1500
    assert settings.urls["user"] == "https://users.example/v2"


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "")

    assert Settings().port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEADLINE_MS", "0"),
        ("DEADLINE_MS", "soon"),
        ("PORT", "65536"),
        ("DRAIN_MS", "-1"),
        ("USER_URL", "users:8101"),
        ("USER_URL", "ftp://users"),
        ("USER_URL", "http://users/?key=1"),
        ("USER_URL", "http://users/#top"),
        ("USER_URL", "http://me@users/"),
        ("USER_URL", "http://:secret@users/"),
        ("USER_TIMEOUT_MS", "0"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"GATEWAY_{name}", value)

    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_a_service_has_the_common_timeout_unless_it_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_CALL_TIMEOUT_MS", "800")
    monkeypatch.setenv("GATEWAY_FRAUD_TIMEOUT_MS", "250")

    settings = Settings()

    assert (settings.timeout_of("user"), settings.timeout_of("fraud")) == (0.8, 0.25)


def test_origins_are_parted_by_commas_or_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_CORS_ORIGINS", "https://a.example, https://b.example")

    assert Settings().cors_origins == ("https://a.example", "https://b.example")
    assert Settings(cors_origins=("https://c.example",)).cors_origins == ("https://c.example",)


def test_a_misspelt_variable_is_found_with_the_one_it_resembles() -> None:
    environment = {"GATEWAY_DEADLNE_MS": "1", "GATEWAY_ZZZ": "1", "GATEWAY_PORT": "1", "PATH": "/bin"}

    assert list(unknown_variables(environment)) == [
        ("GATEWAY_DEADLNE_MS", "GATEWAY_DEADLINE_MS"),
        ("GATEWAY_ZZZ", None),
    ]
