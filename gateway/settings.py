"""The gateway's settings: every `GATEWAY_*` variable, validated at start."""

import difflib
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeAlias, final

from pydantic import AfterValidator, BeforeValidator, Field, PositiveInt, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from typing_extensions import override

from gateway.client.service import Service
from gateway.client.url import normalize_base_url
from gateway.railway import CommitTerms

__all__ = (
    "PREFIX",
    "InvalidSettingsError",
    "ServiceSettings",
    "Settings",
    "default_settings",
    "load_settings",
    "unknown_variables",
)

PREFIX: Final = "GATEWAY_"
_COMMIT: Final = CommitTerms()
_CLOSE_MATCH: Final = 0.75
"""Similarity from which on a variable is taken for a misspelled one: `PROT` has this much of `PORT`."""
_CLOSE_FIELD: Final = 0.6
"""The same for the setting of a known service, of which there are few: `URI` has 0.67 of `URL`."""


class InvalidSettingsError(ValueError):
    """Settings are invalid; *messages* name each variable and say what is wrong with it."""

    def __init__(self, messages: Iterable[str]) -> None:
        self.messages: Final = tuple(messages)
        super().__init__("; ".join(self.messages))


def _bearer_token(value: SecretStr) -> SecretStr:
    if re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", value.get_secret_value()) is None:
        msg = "a bearer token has letters, digits and -._~+/ only, and may end in = (RFC 6750)"
        raise ValueError(msg)
    return value


def _split(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


Token: TypeAlias = Annotated[SecretStr, AfterValidator(_bearer_token)]
Origins: TypeAlias = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


@final
class ServiceSettings(BaseSettings):
    """Settings of one service: the environment takes precedence over the values of its registration."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="forbid")

    url: Annotated[str, AfterValidator(normalize_base_url)] = Field(description="base URL of the service")
    timeout_ms: PositiveInt | None = Field(
        default=None, description="milliseconds for one attempt of a call to the service"
    )
    max_concurrency: PositiveInt | None = Field(default=None, description="concurrent calls to the service")

    @override
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


@final
class _GatewayVariables(EnvSettingsSource):
    """The environment without the nested settings: each service has variables of its own."""

    @override
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        if field_name == "services":
            return None, field_name, False
        return super().get_field_value(field, field_name)


@final
class Settings(BaseSettings):
    """Settings of the gateway, and of its *services* by name; times are in milliseconds."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # the operator token is a secret
    )

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on; 0 for a free one")
    deadline_ms: PositiveInt = Field(default=5000, description="milliseconds for a whole request")
    call_timeout_ms: PositiveInt = Field(
        default=1000, description="milliseconds for one attempt of a call, unless its service has its own"
    )
    max_concurrency: PositiveInt = Field(
        default=200, description="concurrent calls to one service, unless it has its own limit"
    )
    optional_timeout_ms: PositiveInt = Field(
        default=500, description="milliseconds for an optional call, retries included"
    )
    commit_reserve_ms: PositiveInt = Field(
        default=_milliseconds(_COMMIT.reserve),
        description="milliseconds of the deadline that must be left for a commit to begin",
    )
    commit_budget_ms: PositiveInt = Field(
        default=_milliseconds(_COMMIT.budget),
        description="milliseconds for the writes of a commit, repeats included",
    )
    undo_budget_ms: PositiveInt = Field(
        default=_milliseconds(_COMMIT.undo_budget),
        description="milliseconds for undoing a commit before it is reported as stuck",
    )
    operator_token: Token | None = Field(
        default=None,
        description="bearer token for the operator endpoints; without it, they answer localhost only",
    )
    max_in_flight: PositiveInt = Field(
        default=256, description="concurrent requests for pipelines; more are refused with 503"
    )
    rate_limit_per_minute: PositiveInt | None = Field(
        default=None, description="requests for pipelines per minute and client address; unset for no limit"
    )
    drain_ms: int = Field(
        default=2000, ge=0, description="milliseconds between failing readiness and closing the listener"
    )
    cors_origins: Origins = Field(
        default=(), description="origins that browsers may call from, separated by commas"
    )
    waterfall: bool = Field(default=False, description="draw requests on stderr, at most one per second")

    services: Mapping[str, ServiceSettings] = Field(default_factory=dict[str, ServiceSettings])

    @override
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _GatewayVariables(settings_cls)

    @property
    def urls(self) -> Mapping[str, str]:
        """Return the base URL of each service by name."""
        return {name: service.url for name, service in self.services.items()}

    def with_urls(self, urls: Mapping[str, str]) -> "Settings":
        """Return these settings with other base *urls* for the services that they name."""
        moved = {name: self.services[name].model_copy(update={"url": url}) for name, url in urls.items()}
        return self.model_copy(update={"services": {**self.services, **moved}})

    def timeout_of(self, service: str) -> float:
        """Return the timeout of one attempt of a call to *service*, in seconds."""
        return (self.services[service].timeout_ms or self.call_timeout_ms) / 1000

    def max_concurrency_of(self, service: str) -> int:
        """Return how many calls to *service* may be under way at the same time."""
        return self.services[service].max_concurrency or self.max_concurrency

    def describe_ineffective(self) -> Iterator[str]:
        """Yield a line for each group of settings that have no effect beside the others."""
        slow = [name for name in self.services if self.timeout_of(name) * 1000 >= self.deadline_ms]
        if slow:
            yield (
                f"timeouts cannot open the circuit breakers of these services: {', '.join(slow)}; set "
                f"{PREFIX}<SERVICE>_TIMEOUT_MS or {PREFIX}CALL_TIMEOUT_MS below {PREFIX}DEADLINE_MS"
            )
        if self.commit_reserve_ms >= self.deadline_ms:
            yield f"no commit can start; set {PREFIX}COMMIT_RESERVE_MS below {PREFIX}DEADLINE_MS"


OWN_FIELDS: Final[Mapping[str, FieldInfo]] = MappingProxyType(
    {name: field for name, field in Settings.model_fields.items() if name != "services"}
)
"""The gateway's own settings, by name."""


def load_settings(services: Iterable[Service[object]] = (), **values: object) -> Settings:
    """Read the settings of the gateway and of *services* from the environment.

    *values* take precedence over the gateway's own variables. Raise `InvalidSettingsError` with every invalid
    variable and value, and `ValueError` for a service whose variables would be confused with the gateway's
    own.
    """
    messages: list[str] = []
    nested: dict[str, ServiceSettings] = {}
    for service in _checked(services):
        prefix = f"{PREFIX}{service.name.upper()}_"
        defaults = {name: getattr(service, name) for name in ServiceSettings.model_fields}
        try:
            read = ServiceSettings(_env_prefix=prefix, **defaults)  # pyright: ignore[reportCallIssue]
            nested[service.name] = read
        except ValidationError as error:
            messages += _messages(error, prefix)
    try:
        settings = Settings.model_validate({"services": nested, **values})
    except ValidationError as error:
        raise InvalidSettingsError([*_messages(error, PREFIX, values), *messages]) from None
    if messages:
        raise InvalidSettingsError(messages)
    return settings


def default_settings(services: Iterable[Service[object]] = (), **values: object) -> Settings:
    """Return the defaults with *values* in their place. Nothing is read from the environment or validated."""
    nested = {
        service.name: ServiceSettings.model_construct(
            url=service.url, timeout_ms=service.timeout_ms, max_concurrency=service.max_concurrency
        )
        for service in _checked(services)
    }
    return Settings.model_construct(services=nested).model_copy(update=values)


def unknown_variables(environment: Mapping[str, str], services: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each `GATEWAY_*` variable in *environment* that no setting has.

    *services* are the names of the registered services. A setting is suggested only if it is a likely one.
    """
    names = tuple(services)
    known = {*OWN_FIELDS, *(f"{name}_{field}" for name in names for field in ServiceSettings.model_fields)}
    for variable in environment:
        name = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and name not in known:
            yield f"unknown setting {variable}{_suggestion(name, names)}"


def _suggestion(name: str, services: tuple[str, ...]) -> str:
    for field in ServiceSettings.model_fields:
        if name.endswith(f"_{field}"):
            service = name.removesuffix(f"_{field}")
            similar = difflib.get_close_matches(service, services, n=1, cutoff=_CLOSE_MATCH)
            if similar:
                return f"; did you mean {PREFIX}{similar[0].upper()}_{field.upper()}?"
            return f": no service named {service!r} is registered"
    owner = max((service for service in services if name.startswith(f"{service}_")), key=len, default=None)
    if owner is not None:
        field = name.removeprefix(f"{owner}_")
        similar = difflib.get_close_matches(field, ServiceSettings.model_fields, n=1, cutoff=_CLOSE_FIELD)
        return f"; did you mean {PREFIX}{owner.upper()}_{similar[0].upper()}?" if similar else ""
    similar = difflib.get_close_matches(name, OWN_FIELDS, n=1, cutoff=_CLOSE_MATCH)
    return f"; did you mean {PREFIX}{similar[0].upper()}?" if similar else ""


def _checked(services: Iterable[Service[object]]) -> Iterator[Service[object]]:
    """Yield *services*; raise `ValueError` for two of one name or a name that the gateway's settings have."""
    seen: set[str] = set()
    for service in services:
        if service.name in seen:
            msg = f"two services are named {service.name!r}"
            raise ValueError(msg)
        seen.add(service.name)
        taken = [name for name in OWN_FIELDS if name.startswith(f"{service.name}_")]
        if taken:
            msg = (
                f"invalid service name {service.name!r}: its settings would be confused with"
                f" {PREFIX}{taken[0].upper()}, which is the gateway's own"
            )
            raise ValueError(msg)
        yield service


def _messages(error: ValidationError, prefix: str, values: Container[object] = ()) -> Iterator[str]:
    """Yield what is wrong, by variable, or by field for those that *values* has."""
    for one in error.errors():
        field = ".".join(map(str, one["loc"]))
        name = field if one["loc"][0] in values else f"{prefix}{field.upper()}"
        is_secret = "token" in name.lower() or "@" in str(one["input"])  # a URL may contain a password
        value = "" if is_secret else f" {one['input']!r}"
        reason = one["msg"].removeprefix("Value error, ")
        yield f"invalid {name}{value}: {reason}"
