"""Settings of the gateway and of its services."""

from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr, ValidationError

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

OPERATIONS: Final = (Path(__file__).parents[1] / "docs" / "operations.md").read_text()


class Loyalty:
    def __init__(self, client: ServiceClient) -> None:
        self.client = client


LOYALTY: Final = Service("loyalty", Loyalty, url="http://loyalty.test", timeout_ms=300, max_concurrency=7)


def loyalty(name: str) -> Service[Loyalty]:
    """Build a loyalty service named *name*, without limits of its own."""
    return Service(name, Loyalty, url="http://loyalty.test")


def test_services_default_to_localhost() -> None:
    settings = load_settings(SERVICES)

    assert settings.host == "127.0.0.1"
    assert [*settings.urls.items()] == [(name, f"http://127.0.0.1:{port_of(name)}") for name in MOCKS]


def test_settings_come_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_DEADLINE_MS", "1500")
    monkeypatch.setenv("GATEWAY_USER_URL", "https://users.example/v2/")

    settings = load_settings(SERVICES)

    assert settings.deadline_ms == 1500
    assert settings.urls["user"] == "https://users.example/v2"


def test_registration_sets_service_defaults() -> None:
    settings = load_settings([LOYALTY])

    assert settings.urls == {"loyalty": "http://loyalty.test"}
    assert (settings.timeout_of("loyalty"), settings.max_concurrency_of("loyalty")) == (0.3, 7)


def test_environment_overrides_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_LOYALTY_URL", "http://elsewhere.test")
    monkeypatch.setenv("GATEWAY_LOYALTY_TIMEOUT_MS", "450")
    monkeypatch.setenv("GATEWAY_LOYALTY_MAX_CONCURRENCY", "9")

    settings = load_settings([LOYALTY])

    assert settings.urls == {"loyalty": "http://elsewhere.test"}
    assert (settings.timeout_of("loyalty"), settings.max_concurrency_of("loyalty")) == (0.45, 9)


def test_code_values_override_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "8001")

    assert load_settings(port=8002).port == 8002


def test_gateway_services_variable_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_SERVICES", "no JSON")

    assert [*load_settings([LOYALTY]).services] == ["loyalty"]


@pytest.mark.parametrize("name", ["GATEWAY_OPERATOR_TOKEN", "GATEWAY_RATE_LIMIT_PER_MINUTE", "GATEWAY_PORT"])
def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "")

    assert load_settings() == default_settings()


def test_default_settings_ignore_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "8001")
    monkeypatch.setenv("GATEWAY_LOYALTY_URL", "http://elsewhere.test")

    settings = default_settings([LOYALTY], deadline_ms=250)

    assert (settings.port, settings.deadline_ms) == (8000, 250)
    assert settings.urls == {"loyalty": "http://loyalty.test"}


def test_with_urls_replaces_only_given_urls() -> None:
    settings = default_settings(SERVICES).with_urls({"user": "http://users.test"})

    assert settings.urls["user"] == "http://users.test"
    assert settings.urls["fraud"] == default_settings(SERVICES).urls["fraud"]


def test_operator_token_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_OPERATOR_TOKEN", "s3cret-._~+/==")

    settings = load_settings()

    assert settings.operator_token is not None
    assert settings.operator_token.get_secret_value() == "s3cret-._~+/=="
    assert "s3cret" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_invalid_operator_token_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_OPERATOR_TOKEN", "s3cret word")

    with pytest.raises(InvalidSettingsError) as error:
        load_settings()

    assert "s3cret" not in str(error.value)
    assert error.value.messages[0].startswith("invalid GATEWAY_OPERATOR_TOKEN: expected letters, ")


def test_token_of_service_is_read_and_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_LOYALTY_TOKEN", "Basic s3cret==")
    settings = load_settings([LOYALTY])

    assert settings.services["loyalty"].token == SecretStr("Basic s3cret==")
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize("token", ["s3crét", " s3cret", "s3\ncret"])
def test_invalid_token_of_service_is_hidden(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_LOYALTY_TOKEN", token)

    with pytest.raises(InvalidSettingsError) as error:
        load_settings([LOYALTY])
    assert error.value.messages == ("invalid GATEWAY_LOYALTY_TOKEN: expected visible ASCII characters",)


def test_registered_token_is_the_default() -> None:
    service = Service("loyalty", Loyalty, url="http://loyalty.test", token=SecretStr("s3cret"))

    assert default_settings([service]).services["loyalty"].token == SecretStr("s3cret")
    assert load_settings([service]).services["loyalty"].token == SecretStr("s3cret")


@pytest.mark.parametrize("name", OWN_FIELDS)
def test_operations_page_lists_setting(name: str) -> None:
    assert f"`GATEWAY_{name.upper()}`" in OPERATIONS


@pytest.mark.parametrize("name", ServiceSettings.model_fields)
def test_operations_page_lists_service_setting(name: str) -> None:
    assert f"`GATEWAY_USER_{name.upper()}`" in OPERATIONS


POSITIVE: Final = "expected a positive integer"
PORT_RULE: Final = "expected an integer from 0 to 65535"
URL_RULE: Final = (
    "a service's URL must be http or https with a valid host and port, such as http://127.0.0.1:8101"
)
URL_PARTS_RULE: Final = "a service's URL must not have credentials, a query or a fragment"
ORIGINS_RULE: Final = "expected origins, such as 'https://shop.example', or *"
CHARACTERS_RULE: Final = "expected letters, digits and -._~+/, with = only at the end (RFC 6750)"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("DEADLINE_MS", "0", POSITIVE),
        ("DEADLINE_MS", "soon", POSITIVE),
        ("PORT", "65536", PORT_RULE),
        ("DRAIN_MS", "-1", "expected 0 or a positive integer"),
        ("USER_URL", "users:8101", URL_RULE),
        ("USER_URL", "ftp://users", URL_RULE),
        ("USER_URL", "http://", URL_RULE),
        ("USER_URL", "http://users:99999", URL_RULE),
        ("USER_URL", "http://us ers", URL_RULE),
        ("USER_URL", "http://users,http://me:s3cret@others", URL_RULE),
        ("USER_URL", "http://users;t=s3cret", URL_RULE),
        ("USER_URL", "http://users/?key=1", URL_PARTS_RULE),
        ("USER_URL", "http://users/#top", URL_PARTS_RULE),
        ("USER_URL", "http://me@users/", URL_PARTS_RULE),
        ("USER_URL", "http://:secret@users/", URL_PARTS_RULE),
        ("USER_TIMEOUT_MS", "0", POSITIVE),
        ("MAX_CONCURRENCY", "0", POSITIVE),
        ("USER_MAX_CONCURRENCY", "0", POSITIVE),
        ("COMMIT_RESERVE_MS", "0", POSITIVE),
        ("COMMIT_BUDGET_MS", "0", POSITIVE),
        ("UNDO_BUDGET_MS", "-1", POSITIVE),
        ("MAX_IN_FLIGHT", "0", POSITIVE),
        ("RATE_LIMIT_PER_MINUTE", "0", POSITIVE),
        ("SERVER_TIMING", "some", "expected off, own or all"),
        ("TIMING_ALLOW_ORIGIN", "https://bücher.example", ORIGINS_RULE),
        ("TIMING_ALLOW_ORIGIN", "*, shop.example", ORIGINS_RULE),
        ("OPERATOR_TOKEN", " ", CHARACTERS_RULE),
        ("OPERATOR_TOKEN", "two words", CHARACTERS_RULE),
        ("OPERATOR_TOKEN", "p@ss", CHARACTERS_RULE),
        ("OPERATOR_TOKEN", "=a", CHARACTERS_RULE),
        ("OPERATOR_TOKEN", "Schlüssel", CHARACTERS_RULE),
    ],
)
def test_error_names_invalid_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(f"GATEWAY_{name}", value)

    with pytest.raises(InvalidSettingsError) as error:
        load_settings(SERVICES)

    (message,) = error.value.messages
    assert message.startswith(f"invalid GATEWAY_{name}")
    assert message.endswith(f": {reason}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", "me:S3CRET@h"),
        ("DEADLINE_MS", "me:S3CRET@h"),
        ("USER_TIMEOUT_MS", "//me:S3CRET@h/"),
        ("ROOT_PATH", "/a?key=S3CRET"),
        ("ROOT_PATH", "/a#S3CRET"),
        ("PORT", "redis://:S3CRET@cache"),
    ],
)
def test_refused_setting_shows_no_secret(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"GATEWAY_{name}", value)

    with pytest.raises(InvalidSettingsError) as error:
        load_settings(SERVICES)

    assert "S3CRET" not in str(error.value.messages)


@pytest.mark.parametrize("path", ["/..", "/api/..", "/./api", "/a//b"])
def test_root_path_has_no_dot_segments(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("GATEWAY_ROOT_PATH", path)

    with pytest.raises(InvalidSettingsError, match="expected a path, such as '/api'"):
        load_settings(SERVICES)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://h/?token=S3CRET", " 'http://h'"),
        ("http://h/#S3CRET", " 'http://h'"),
        ("HTTPS://users.example:8101/S3CRET?a", " 'HTTPS://users.example'"),
        ("http://me:S3CRET@users/", " 'http://users'"),
        ("http://S3CRET@[::1]:8000/?a", " 'http://[::1]'"),
        ("http://users:S3CRET", " 'http://users'"),
        ("http://h?S3CRET", " 'http://h'"),
        (" http://h/?token=S3CRET", " 'http://h'"),
        ("redis://S3CRET", " 'redis://'"),
        ("redis://:S3CRET@cache/0", " 'redis://'"),
        ("http://me:pa/S3CRET@users/?a", " 'http://'"),
        ("http://S3CRET/a@users/?a", " 'http://'"),
        ("http://h\\S3CRET?a", " 'http://'"),
        ("http://S3CRET%20a/", " 'http://'"),
        ("S3CRET", ""),
        ("http:S3CRET?a", ""),
        ("//S3CRET", ""),
        ("h=http://h/?S3CRET", ""),
    ],
)
def test_refused_url_shows_scheme_and_host_only(
    monkeypatch: pytest.MonkeyPatch, value: str, shown: str
) -> None:
    monkeypatch.setenv("GATEWAY_USER_URL", value)

    with pytest.raises(InvalidSettingsError) as error:
        load_settings(SERVICES)

    assert error.value.messages[0].partition(": ")[0] + ": " == f"invalid GATEWAY_USER_URL{shown}: "
    assert "S3CRET" not in f"{error.value} {error.value.__context__}"


@pytest.mark.parametrize("name", ["PORT", "DEADLINE_MS", "HOST", "WATERFALL", "USER_TIMEOUT_MS"])
def test_url_in_other_setting_shows_host_only(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"GATEWAY_{name}", "https://me:S3CRET@h/S3CRET")

    with pytest.raises(InvalidSettingsError) as error:
        load_settings(SERVICES)

    assert error.value.messages[0].startswith(f"invalid GATEWAY_{name} 'https://h': expected ")


def test_invalid_service_settings_hide_their_input() -> None:
    with pytest.raises(ValidationError) as error:
        ServiceSettings(url="http://h/?token=S3CRET")

    assert "S3CRET" not in str(error.value)


def test_every_invalid_setting_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "WATERFALL", "USER_URL", "FRAUD_TIMEOUT_MS"):
        monkeypatch.setenv(f"GATEWAY_{name}", "x")

    with pytest.raises(InvalidSettingsError) as error:
        load_settings(SERVICES)

    assert error.value.messages == (
        f"invalid GATEWAY_PORT 'x': {PORT_RULE}",
        "invalid GATEWAY_WATERFALL 'x': expected true or false",
        f"invalid GATEWAY_USER_URL: {URL_RULE}",
        f"invalid GATEWAY_FRAUD_TIMEOUT_MS 'x': {POSITIVE}",
    )


def test_invalid_value_in_code_is_named_by_field() -> None:
    """A message about a value set in code names its field, not the variable of the setting."""
    values = {"port": -1, "host": 1, "operator_token": 1, "cors_origins": 1, "prot": 1}
    with pytest.raises(InvalidSettingsError) as error:
        load_settings(SERVICES, **values)

    assert error.value.messages == (
        "invalid host 1: expected an address, such as '127.0.0.1'",
        f"invalid port -1: {PORT_RULE}",
        "invalid operator_token: expected a string",
        "invalid cors_origins 1: expected origins, such as 'https://shop.example'",
        "unknown setting prot",
    )


def test_service_limits_default_to_common_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_CALL_TIMEOUT_MS", "800")
    monkeypatch.setenv("GATEWAY_MAX_CONCURRENCY", "50")

    settings = load_settings([loyalty("loyalty")])

    assert (settings.timeout_of("loyalty"), settings.max_concurrency_of("loyalty")) == (0.8, 50)


def test_cors_origins_split_at_commas_and_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_CORS_ORIGINS", "https://a.example, https://b.example")

    assert load_settings().cors_origins == ("https://a.example", "https://b.example")
    assert load_settings(cors_origins=("https://c.example",)).cors_origins == ("https://c.example",)


@pytest.mark.parametrize("name", ["call", "optional", "operator", "max", "commit", "rate_limit"])
def test_service_named_like_a_setting_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"invalid service name '{name}': .* GATEWAY_{name.upper()}_"):
        load_settings([loyalty(name)])


def test_load_settings_refuses_duplicate_service() -> None:
    with pytest.raises(ValueError, match="two services are named 'loyalty'"):
        load_settings([LOYALTY, LOYALTY])


@pytest.mark.parametrize(
    ("variable", "message"),
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
        (
            "GATEWAY_OPERATR_TOKEN",
            "unknown setting GATEWAY_OPERATR_TOKEN; did you mean GATEWAY_OPERATOR_TOKEN?",
        ),
        ("GATEWAY_LOYALTY_ZZZ", "unknown setting GATEWAY_LOYALTY_ZZZ"),
        ("GATEWAY_USER_URL", "unknown setting GATEWAY_USER_URL: no service named 'user' is registered"),
        (
            "GATEWAY_SALES_TIMEOUT_MS",
            "unknown setting GATEWAY_SALES_TIMEOUT_MS: no service named 'sales' is registered",
        ),
    ],
)
def test_unknown_variable_message_suggests_setting(variable: str, message: str) -> None:
    """The message suggests a similar setting, or names the unregistered service, if there is one."""
    environment = {variable: "1", "GATEWAY_PORT": "1", "GATEWAY_LOYALTY_TIMEOUT_MS": "1", "PATH": "/bin"}

    assert [*unknown_variables(environment, ["loyalty", "loyalty_points"])] == [message]
