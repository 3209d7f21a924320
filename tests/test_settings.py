"""Settings of the gateway and of its services."""

from pathlib import Path
from typing import Final

import pytest

from gateway.client.service import Service
from gateway.client.service_client import ServiceClient
from gateway.services import SERVICES
from gateway.settings import (
    OWN_FIELDS,
    InvalidSettingsError,
    ServiceSettings,
    default_settings,
    load_settings,
    unknown_variables,
)
from mock_services.catalogue import SERVICES as MOCKS
from mock_services.catalogue import port_of

README: Final = (Path(__file__).parents[1] / "README.md").read_text()


class Loyalty:
    def __init__(self, client: ServiceClient) -> None:
        self.client = client


LOYALTY: Final = Service("loyalty", Loyalty, url="http://loyalty.test", timeout_ms=300, max_concurrency=7)


def loyalty(name: str) -> Service[Loyalty]:
    return Service(name, Loyalty, url="http://loyalty.test")


def test_shipped_services_are_on_localhost() -> None:
    settings = load_settings(SERVICES)

    assert settings.host == "127.0.0.1"
    assert [*settings.urls.items()] == [(name, f"http://127.0.0.1:{port_of(name)}") for name in MOCKS]


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_DEADLINE_MS", "1500")
    monkeypatch.setenv("GATEWAY_USER_URL", "https://users.example/v2/")

    settings = load_settings(SERVICES)

    assert settings.deadline_ms == 1500
    assert settings.urls["user"] == "https://users.example/v2"


def test_registration_has_the_defaults_of_a_service() -> None:
    settings = load_settings([LOYALTY])

    assert settings.urls == {"loyalty": "http://loyalty.test"}
    assert (settings.timeout_of("loyalty"), settings.max_concurrency_of("loyalty")) == (0.3, 7)


def test_environment_takes_precedence_over_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_LOYALTY_URL", "http://elsewhere.test")
    monkeypatch.setenv("GATEWAY_LOYALTY_TIMEOUT_MS", "450")
    monkeypatch.setenv("GATEWAY_LOYALTY_MAX_CONCURRENCY", "9")

    settings = load_settings([LOYALTY])

    assert settings.urls == {"loyalty": "http://elsewhere.test"}
    assert (settings.timeout_of("loyalty"), settings.max_concurrency_of("loyalty")) == (0.45, 9)


def test_values_take_precedence_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "8001")

    assert load_settings(port=8002).port == 8002


def test_services_cannot_be_set_as_one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_SERVICES", "not even JSON")

    assert [*load_settings([LOYALTY]).services] == ["loyalty"]


@pytest.mark.parametrize("name", ["GATEWAY_OPERATOR_TOKEN", "GATEWAY_RATE_LIMIT_PER_MINUTE", "GATEWAY_PORT"])
def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "")

    assert load_settings() == default_settings()


def test_defaults_ignore_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "8001")
    monkeypatch.setenv("GATEWAY_LOYALTY_URL", "http://elsewhere.test")

    settings = default_settings([LOYALTY], deadline_ms=250)

    assert (settings.port, settings.deadline_ms) == (8000, 250)
    assert settings.urls == {"loyalty": "http://loyalty.test"}


def test_urls_can_be_replaced() -> None:
    settings = default_settings(SERVICES).with_urls({"user": "http://users.test"})

    assert settings.urls["user"] == "http://users.test"
    assert settings.urls["fraud"] == default_settings(SERVICES).urls["fraud"]


def test_token_is_read_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_OPERATOR_TOKEN", "s3cret-._~+/==")

    settings = load_settings()

    assert settings.operator_token is not None
    assert settings.operator_token.get_secret_value() == "s3cret-._~+/=="
    assert "s3cret" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_invalid_token_is_not_shown_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_OPERATOR_TOKEN", "s3cret word")

    with pytest.raises(InvalidSettingsError) as refused:
        load_settings()

    assert "s3cret" not in str(refused.value)
    assert refused.value.messages[0].startswith("invalid GATEWAY_OPERATOR_TOKEN: a bearer token has ")


@pytest.mark.parametrize("name", OWN_FIELDS)
def test_readme_lists_every_setting(name: str) -> None:
    assert f"`GATEWAY_{name.upper()}`" in README


@pytest.mark.parametrize("name", ServiceSettings.model_fields)
def test_readme_lists_every_setting_of_a_service(name: str) -> None:
    assert f"`GATEWAY_USER_{name.upper()}`" in README


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEADLINE_MS", "0"),
        ("DEADLINE_MS", "soon"),
        ("PORT", "65536"),
        ("DRAIN_MS", "-1"),
        ("USER_URL", "users:8101"),
        ("USER_URL", "ftp://users"),
        ("USER_URL", "http://"),
        ("USER_URL", "http://users:99999"),
        ("USER_URL", "http://us ers"),
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
def test_invalid_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"GATEWAY_{name}", value)

    with pytest.raises(InvalidSettingsError) as refused:
        load_settings(SERVICES)

    (message,) = refused.value.messages
    assert message.startswith(f"invalid GATEWAY_{name}")


def test_every_invalid_value_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "USER_URL", "FRAUD_TIMEOUT_MS"):
        monkeypatch.setenv(f"GATEWAY_{name}", "x")

    with pytest.raises(InvalidSettingsError) as refused:
        load_settings(SERVICES)

    names = [message.partition(":")[0] for message in refused.value.messages]
    assert names == [
        "invalid GATEWAY_PORT 'x'",
        "invalid GATEWAY_USER_URL 'x'",
        "invalid GATEWAY_FRAUD_TIMEOUT_MS 'x'",
    ]


def test_invalid_value_in_code_is_not_reported_as_a_variable() -> None:
    with pytest.raises(InvalidSettingsError, match=r"^invalid port -1: "):
        load_settings(SERVICES, port=-1)


def test_service_without_its_own_limits_has_the_common_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_CALL_TIMEOUT_MS", "800")
    monkeypatch.setenv("GATEWAY_MAX_CONCURRENCY", "50")

    settings = load_settings([loyalty("loyalty")])

    assert (settings.timeout_of("loyalty"), settings.max_concurrency_of("loyalty")) == (0.8, 50)


def test_origins_are_separated_by_commas_or_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_CORS_ORIGINS", "https://a.example, https://b.example")

    assert load_settings().cors_origins == ("https://a.example", "https://b.example")
    assert load_settings(cors_origins=("https://c.example",)).cors_origins == ("https://c.example",)


@pytest.mark.parametrize("name", ["call", "optional", "operator", "max", "commit", "rate_limit"])
def test_service_named_like_a_setting_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"invalid service name '{name}': .* GATEWAY_{name.upper()}_"):
        load_settings([loyalty(name)])


def test_two_services_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two services are named 'loyalty'"):
        load_settings([LOYALTY, LOYALTY])


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("GATEWAY_PROT", "unknown setting GATEWAY_PROT; did you mean GATEWAY_PORT?"),
        ("GATEWAY_DEADLNE_MS", "unknown setting GATEWAY_DEADLNE_MS; did you mean GATEWAY_DEADLINE_MS?"),
        ("GATEWAY_ZZZ", "unknown setting GATEWAY_ZZZ"),
        ("GATEWAY_LOYALITY_URL", "unknown setting GATEWAY_LOYALITY_URL; did you mean GATEWAY_LOYALTY_URL?"),
        (
            "GATEWAY_LOYALTY_TIMEOUT",
            "unknown setting GATEWAY_LOYALTY_TIMEOUT; did you mean GATEWAY_LOYALTY_TIMEOUT_MS?",
        ),
        (
            "GATEWAY_LOYALTY_POINTS_URI",
            "unknown setting GATEWAY_LOYALTY_POINTS_URI; did you mean GATEWAY_LOYALTY_POINTS_URL?",
        ),
        ("GATEWAY_LOYALTY_URI", "unknown setting GATEWAY_LOYALTY_URI; did you mean GATEWAY_LOYALTY_URL?"),
        ("GATEWAY_LOYALTY_ZZZ", "unknown setting GATEWAY_LOYALTY_ZZZ"),
        ("GATEWAY_USER_URL", "unknown setting GATEWAY_USER_URL: no service named 'user' is registered"),
        (
            "GATEWAY_SALES_TIMEOUT_MS",
            "unknown setting GATEWAY_SALES_TIMEOUT_MS: no service named 'sales' is registered",
        ),
    ],
)
def test_unknown_variable_is_reported_with_a_likely_suggestion(variable: str, sentence: str) -> None:
    environment = {variable: "1", "GATEWAY_PORT": "1", "GATEWAY_LOYALTY_TIMEOUT_MS": "1", "PATH": "/bin"}

    assert [*unknown_variables(environment, ["loyalty", "loyalty_points"])] == [sentence]
