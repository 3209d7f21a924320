"""The gateway's settings: every `GATEWAY_*` variable, validated at start."""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, Field, PositiveInt, SecretStr, TypeAdapter
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

__all__ = ("PREFIX", "SECRETS", "SERVICES", "Settings", "unknown_variables")

PREFIX: Final = "GATEWAY_"
SECRETS: Final = frozenset({"operator_token"})
"""The settings that nothing may show."""
SERVICES: Final = (
    "user",
    "inventory",
    "payment",
    "fraud",
    "shipping",
    "pricing",
    "social",
    "account",
    "auth",
    "order",
    "notification",
    "analytics",
)
"""The services behind the gateway, in the order of their default ports, from 8101 on."""


def _service_url(value: str) -> str:
    url = TypeAdapter(AnyHttpUrl).validate_python(value)
    if (
        url.query is not None
        or url.fragment is not None
        or url.username is not None
        or url.password is not None
    ):
        msg = "a service's URL has no query, fragment or credentials"
        raise ValueError(msg)
    return str(url).rstrip("/")


def _bearer_token(value: SecretStr) -> SecretStr:
    if re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", value.get_secret_value()) is None:
        msg = "a bearer token has letters, digits and -._~+/ only, and may end in = (RFC 6750)"
        raise ValueError(msg)
    return value


def _split(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


ServiceUrl: TypeAlias = Annotated[
    str, AfterValidator(_service_url), Field(description="where that service is")
]
ServiceTimeout: TypeAlias = Annotated[PositiveInt | None, Field(description="milliseconds for that service")]
ServiceConcurrency: TypeAlias = Annotated[
    PositiveInt | None, Field(description="calls at once to that service")
]
Token: TypeAlias = Annotated[SecretStr, AfterValidator(_bearer_token)]
Origins: TypeAlias = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """What can be set; times are in milliseconds."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # one is a secret
    )

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    deadline_ms: PositiveInt = Field(default=5000, description="milliseconds a request has in all")
    call_timeout_ms: PositiveInt = Field(default=1000, description="milliseconds an attempt of a call has")
    max_concurrency: PositiveInt = Field(default=200, description="calls at once to one service")
    optional_timeout_ms: PositiveInt = Field(default=500, description="milliseconds an optional call has")
    commit_reserve_ms: PositiveInt = Field(
        default=500, description="milliseconds that must be left to begin to write"
    )
    commit_budget_ms: PositiveInt = Field(
        default=10_000, description="milliseconds that writes have, repeats included"
    )
    undo_budget_ms: PositiveInt = Field(default=30_000, description="milliseconds that undoing them has")
    operator_token: Token | None = Field(
        default=None, description="who has it may list executions and retry; else only this machine"
    )
    max_in_flight: PositiveInt = Field(
        default=256, description="requests for pipelines that are answered at the same time"
    )
    rate_limit_per_minute: PositiveInt | None = Field(
        default=None, description="requests for pipelines from one address; else there is no limit"
    )
    drain_ms: int = Field(default=2000, ge=0, description="milliseconds from failing readiness to refusing")
    cors_origins: Origins = Field(default=(), description="origins browsers may call from, by commas")
    waterfall: bool = Field(default=False, description="draw requests on stderr, one a second")

    user_url: ServiceUrl = "http://127.0.0.1:8101"
    inventory_url: ServiceUrl = "http://127.0.0.1:8102"
    payment_url: ServiceUrl = "http://127.0.0.1:8103"
    fraud_url: ServiceUrl = "http://127.0.0.1:8104"
    shipping_url: ServiceUrl = "http://127.0.0.1:8105"
    pricing_url: ServiceUrl = "http://127.0.0.1:8106"
    social_url: ServiceUrl = "http://127.0.0.1:8107"
    account_url: ServiceUrl = "http://127.0.0.1:8108"
    auth_url: ServiceUrl = "http://127.0.0.1:8109"
    order_url: ServiceUrl = "http://127.0.0.1:8110"
    notification_url: ServiceUrl = "http://127.0.0.1:8111"
    analytics_url: ServiceUrl = "http://127.0.0.1:8112"

    user_timeout_ms: ServiceTimeout = None
    inventory_timeout_ms: ServiceTimeout = None
    payment_timeout_ms: ServiceTimeout = None
    fraud_timeout_ms: ServiceTimeout = None
    shipping_timeout_ms: ServiceTimeout = None
    pricing_timeout_ms: ServiceTimeout = None
    social_timeout_ms: ServiceTimeout = None
    account_timeout_ms: ServiceTimeout = None
    auth_timeout_ms: ServiceTimeout = None
    order_timeout_ms: ServiceTimeout = None
    notification_timeout_ms: ServiceTimeout = None
    analytics_timeout_ms: ServiceTimeout = None

    user_max_concurrency: ServiceConcurrency = None
    inventory_max_concurrency: ServiceConcurrency = None
    payment_max_concurrency: ServiceConcurrency = None
    fraud_max_concurrency: ServiceConcurrency = None
    shipping_max_concurrency: ServiceConcurrency = None
    pricing_max_concurrency: ServiceConcurrency = None
    social_max_concurrency: ServiceConcurrency = None
    account_max_concurrency: ServiceConcurrency = None
    auth_max_concurrency: ServiceConcurrency = None
    order_max_concurrency: ServiceConcurrency = None
    notification_max_concurrency: ServiceConcurrency = None
    analytics_max_concurrency: ServiceConcurrency = None

    @property
    def urls(self) -> Mapping[str, str]:
        """Give the base URL of each of `SERVICES`."""
        return {service: getattr(self, f"{service}_url") for service in SERVICES}

    def on_this_machine(self, port: int) -> "Settings":
        """Look for the services on this machine: the first on *port*, the others on those that follow."""
        urls = {f"{name}_url": f"http://127.0.0.1:{port + n}" for n, name in enumerate(SERVICES)}
        return self.model_copy(update=urls)

    def timeout_of(self, service: str) -> float:
        """Give the seconds that one attempt of a call to one of `SERVICES` has."""
        milliseconds: int | None = getattr(self, f"{service}_timeout_ms")
        return (milliseconds or self.call_timeout_ms) / 1000

    def max_concurrency_of(self, service: str) -> int:
        """Give how many calls may be made to one of `SERVICES` at once."""
        at_once: int | None = getattr(self, f"{service}_max_concurrency")
        return at_once or self.max_concurrency


def unknown_variables(environment: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """Give each variable that looks like a setting and is none, with the one that it resembles."""
    known = [name.upper() for name in Settings.model_fields]
    for variable in environment:
        prefix, is_ours, name = variable.partition(PREFIX)
        if is_ours and not prefix and name not in known:
            resembled = difflib.get_close_matches(name, known, n=1)
            yield variable, PREFIX + resembled[0] if resembled else None
