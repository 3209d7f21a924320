"""What can be set, and what is refused at start."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.settings import SECRETS, Settings, unknown_variables
from mock_services.catalogue import SERVICES as MOCKS
from mock_services.catalogue import port_of

README = (Path(__file__).parents[1] / "README.md").read_text()


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


def test_an_empty_token_is_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_OPERATOR_TOKEN", "")

    assert Settings().operator_token is None


def test_an_empty_rate_limit_is_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_RATE_LIMIT_PER_MINUTE", "")

    assert Settings().rate_limit_per_minute is None


def test_a_token_is_read_and_shown_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_OPERATOR_TOKEN", "s3cret-._~+/==")

    settings = Settings()

    assert settings.operator_token is not None
    assert settings.operator_token.get_secret_value() == "s3cret-._~+/=="
    assert "s3cret" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_a_token_that_cannot_be_one_is_not_shown_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_OPERATOR_TOKEN", "s3cret word")

    with pytest.raises(ValidationError) as refused:
        Settings()

    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_readme_lists_every_setting(name: str) -> None:
    service, _, what = name.partition("_")
    is_for_one = service in MOCKS and what in ("timeout_ms", "max_concurrency")
    first = "user" if is_for_one else service  # one stands for all

    assert f"`GATEWAY_{first}_{what}`".upper().replace("_`", "`") in README


def test_every_secret_is_one_of_the_settings_and_hidden() -> None:
    assert {
        name for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)
    } == SECRETS


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
        ("MAX_CONCURRENCY", "0"),
        ("USER_MAX_CONCURRENCY", "0"),
        ("COMMIT_RESERVE_MS", "0"),
        ("COMMIT_BUDGET_MS", "0"),
        ("UNDO_BUDGET_MS", "-1"),
        ("MAX_IN_FLIGHT", "0"),
        ("RATE_LIMIT_PER_MINUTE", "0"),
        ("OPERATOR_TOKEN", " "),
        ("OPERATOR_TOKEN", "two words"),
        ("OPERATOR_TOKEN", "p@ss"),
        ("OPERATOR_TOKEN", "=a"),
        ("OPERATOR_TOKEN", "Schlüssel"),
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


def test_as_many_calls_go_to_a_service_at_once_as_to_any_unless_it_has_its_own_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEWAY_MAX_CONCURRENCY", "50")
    monkeypatch.setenv("GATEWAY_FRAUD_MAX_CONCURRENCY", "5")

    settings = Settings()

    assert (settings.max_concurrency_of("user"), settings.max_concurrency_of("fraud")) == (50, 5)


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
