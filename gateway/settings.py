"""The gateway's settings: every `GATEWAY_*` variable, validated at start."""

import difflib
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeAlias, final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveInt,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from typing_extensions import override

from gateway.api.path_prefix import LONGEST_PREFIX, PATH_PREFIX
from gateway.client.answers.body import MAX_ANSWER_BYTES
from gateway.client.operations.request_headers import check_header
from gateway.client.service import Service
from gateway.client.transport import TransportName, create_tls_context
from gateway.client.url import normalize_base_url, redact_url
from gateway.executions.database.url import check_database_url
from gateway.observability.log_format import LogFormat
from gateway.observability.server_timing import ServerTiming
from gateway.railway import CommitTerms
from gateway.service_links import is_service_link

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
_MAY_BE_SECRET: Final = re.compile(r"[@?#]|//")
_CLOSE_MATCH: Final = 0.75
"""Minimum similarity between a variable and the setting suggested for it; `PROT` and `PORT` have 0.75."""
_CLOSE_FIELD: Final = 0.6
"""The same minimum for the part after the name of a service; `URI` and `URL` have 0.67."""


class InvalidSettingsError(ValueError):
    """Settings are invalid; each of the *messages* names a variable (or a field, in code) and the reason."""

    def __init__(self, messages: Iterable[str]) -> None:
        self.messages: Final = tuple(messages)
        super().__init__("; ".join(self.messages))


def _check_tls_file(path: Path, ca_file: Path | None = None, certificate_file: Path | None = None) -> Path:
    try:
        create_tls_context(ca_file, certificate_file)
    except OSError as error:
        raise ValueError(str(error)) from None
    return path


def _check_bearer_token(value: SecretStr) -> SecretStr:
    if re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", value.get_secret_value()) is None:
        msg = "expected letters, digits and -._~+/, with = only at the end (RFC 6750)"
        raise ValueError(msg)
    return value


def _check_credentials(value: SecretStr) -> SecretStr:
    check_header("token", value.get_secret_value())
    return value


def _split(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def _to_milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _check_journal_url(value: SecretStr) -> SecretStr:
    check_database_url(value.get_secret_value())
    return value


def _expects(description: str) -> WrapValidator:
    """Build a validator with the error message `expected` *description*, instead of pydantic's messages."""

    def validate(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError:
            msg = f"expected {description}"
            raise ValueError(msg) from None

    return WrapValidator(validate)


Positive: TypeAlias = Annotated[PositiveInt, _expects("a positive integer")]
Port: TypeAlias = Annotated[int, Field(ge=0, le=65535), _expects("an integer from 0 to 65535")]
NonNegative: TypeAlias = Annotated[int, Field(ge=0), _expects("0 or a positive integer")]
Transport: TypeAlias = Annotated[TransportName, _expects("http1 or httpx")]
TimingOrigins: TypeAlias = Annotated[
    tuple[Annotated[str, Field(pattern=r"^(\*|https?://[A-Za-z0-9.:\[\]-]+)$")], ...],
    NoDecode,
    BeforeValidator(_split),
    _expects("origins, such as 'https://shop.example', or *"),
]
TimingEntries: TypeAlias = Annotated[ServerTiming, _expects("off, own or all")]
Format: TypeAlias = Annotated[LogFormat, _expects("text or json")]
Flag: TypeAlias = Annotated[bool, _expects("true or false")]
RootPath: TypeAlias = Annotated[
    str, Field(pattern=rf"^({PATH_PREFIX})?$", max_length=LONGEST_PREFIX), _expects("a path, such as '/api'")
]
Host: TypeAlias = Annotated[str, Field(pattern=r"^[^/?#@\s]*$"), _expects("an address, such as '127.0.0.1'")]
Token: TypeAlias = Annotated[SecretStr, _expects("a string"), AfterValidator(_check_bearer_token)]
JournalUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_check_journal_url)]
Credentials: TypeAlias = Annotated[
    SecretStr, AfterValidator(_check_credentials), _expects("visible ASCII characters")
]
AuthoritiesFile: TypeAlias = Annotated[
    Path,
    AfterValidator(lambda path: _check_tls_file(path, ca_file=path)),
    _expects("a file with certificates in PEM"),
]
CertificateFile: TypeAlias = Annotated[
    Path,
    AfterValidator(lambda path: _check_tls_file(path, certificate_file=path)),
    _expects("a file with a certificate and its key in PEM"),
]
Origins: TypeAlias = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(_split), _expects("origins, such as 'https://shop.example'")
]


@final
class ServiceSettings(BaseSettings):
    """Settings of one service: the environment takes precedence over the values of its registration."""

    model_config = SettingsConfigDict(
        frozen=True, env_ignore_empty=True, extra="forbid", hide_input_in_errors=True
    )

    url: Annotated[str, AfterValidator(normalize_base_url)] = Field(description="base URL of the service")
    timeout_ms: Positive | None = Field(
        default=None, description="milliseconds for one attempt of a call to the service"
    )
    max_concurrency: Positive | None = Field(default=None, description="concurrent calls to the service")
    token: Credentials | None = Field(default=None, description="token that the service expects, if any")
    ca_file: AuthoritiesFile | None = Field(
        default=None,
        description="file with the authorities trusted for https, in PEM; by default those of the system",
    )
    certificate_file: CertificateFile | None = Field(
        default=None, description="file with the client certificate for https and its key, in PEM"
    )

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
    """Environment source that ignores `GATEWAY_SERVICES`, since each service has variables of its own.

    It ignores service links too, such as `GATEWAY_PORT=tcp://10.0.0.1:8000`.
    """

    @override
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        value, key, is_complex = super().get_field_value(field, field_name)
        if field_name == "services" or is_service_link(f"{PREFIX}{field_name}".upper(), str(value)):
            return None, key, False
        return value, key, is_complex


@final
class Settings(BaseSettings):
    """Settings of the gateway, and of its *services* by name; times are in milliseconds."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # the operator token is a secret
    )

    host: Host = Field(default="127.0.0.1", description="address to listen on")
    port: Port = Field(default=8000, description="port to listen on; 0 for a free port")
    deadline_ms: Positive = Field(default=5000, description="milliseconds for a whole request")
    call_timeout_ms: Positive = Field(
        default=1000, description="milliseconds for one attempt of a call, unless its service has its own"
    )
    max_concurrency: Positive = Field(
        default=200, description="concurrent calls to one service, unless it has its own limit"
    )
    max_answer_bytes: Positive = Field(
        default=MAX_ANSWER_BYTES, description="largest body of a service's response that is read, in bytes"
    )
    optional_timeout_ms: Positive = Field(
        default=500, description="milliseconds for an optional call, retries included"
    )
    commit_reserve_ms: Positive = Field(
        default=_to_milliseconds(_COMMIT.reserve),
        description="milliseconds of the deadline that must be left for a commit to begin",
    )
    commit_budget_ms: Positive = Field(
        default=_to_milliseconds(_COMMIT.budget),
        description="milliseconds for the writes of a commit, repeats included",
    )
    undo_budget_ms: Positive = Field(
        default=_to_milliseconds(_COMMIT.undo_budget),
        description="milliseconds for undoing a commit before it is reported as stuck",
    )
    journal_url: JournalUrl = Field(
        default=SecretStr("sqlite:///gateway-journal.sqlite"),
        description="database of the journal: sqlite:///FILE for one machine, or postgresql://...",
    )
    journal_max_mb: Positive = Field(
        default=1024, description="megabytes of executions that the journal keeps; then writes are refused"
    )
    operator_token: Token | None = Field(
        default=None,
        description="bearer token for the operator endpoints; if unset, they accept localhost only",
    )
    max_in_flight: Positive = Field(
        default=256, description="concurrent requests for pipelines; more are refused with 503"
    )
    refusal_pause_ms: NonNegative = Field(
        default=100,
        description="milliseconds for which a connection is not read after a refusal under overload",
    )
    rate_limit_per_minute: Positive | None = Field(
        default=None, description="requests for pipelines per minute and caller; unset for no limit"
    )
    root_path: RootPath = Field(
        default="", description="path prefix that a proxy removes, such as /api, for links in responses"
    )
    drain_ms: NonNegative = Field(
        default=2000, description="milliseconds between failing readiness and closing the listener"
    )
    cors_origins: Origins = Field(
        default=(), description="origins that browsers may call from, separated by commas"
    )
    server_timing: TimingEntries = Field(
        default="all",
        description="entries of Server-Timing: off, own (the gateway's own time) or all (and each call)",
    )
    timing_allow_origin: TimingOrigins = Field(
        default=(),
        description="origins whose pages may read Server-Timing, separated by commas; * for all",
    )
    transport: Transport = Field(
        default="http1", description="who sends the calls: the gateway's own http1, or httpx"
    )
    access_log: Flag = Field(default=False, description="log each request for a pipeline")
    log_format: Format = Field(
        default="text", description="format of the log: text, or json (an object in each line)"
    )
    metrics: Flag = Field(default=True, description="count requests and calls for Prometheus, at /metrics")
    waterfall: Flag = Field(
        default=False, description="draw a waterfall of requests on stderr, at most one per second"
    )

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
        """Return a copy of these settings with other base *urls* for the services that *urls* names."""
        moved = {name: self.services[name].model_copy(update={"url": url}) for name, url in urls.items()}
        return self.model_copy(update={"services": {**self.services, **moved}})

    def timeout_of(self, service: str) -> float:
        """Return the timeout of one attempt of a call to *service*, in seconds."""
        return (self.services[service].timeout_ms or self.call_timeout_ms) / 1000

    def max_concurrency_of(self, service: str) -> int:
        """Return the limit of concurrent calls to *service*."""
        return self.services[service].max_concurrency or self.max_concurrency

    def describe_ineffective(self) -> Iterator[str]:
        """Yield a warning if timeouts cannot open circuit breakers, and a warning if no commit can start."""
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
"""The settings of the gateway itself, by name."""


def load_settings(services: Iterable[Service[object]] = (), **values: object) -> Settings:
    """Read the settings of the gateway and of *services* from the environment.

    *values* take precedence over the gateway's own variables. Raise `InvalidSettingsError` with a message for
    every invalid variable and value. Raise `ValueError` if two services have the same name, or if the
    variables of a service could be confused with the gateway's own.
    """
    messages: list[str] = []
    nested: dict[str, ServiceSettings] = {}
    for service in _check_services(services):
        prefix = f"{PREFIX}{service.name.upper()}_"
        defaults = {name: getattr(service, name) for name in ServiceSettings.model_fields}
        try:
            read = ServiceSettings(_env_prefix=prefix, **defaults)  # pyright: ignore[reportCallIssue]
            nested[service.name] = read
        except ValidationError as error:
            messages += _describe_errors(error, prefix)
    try:
        settings = Settings.model_validate({"services": nested, **values})
    except ValidationError as error:
        raise InvalidSettingsError([*_describe_errors(error, PREFIX, values), *messages]) from None
    if messages:
        raise InvalidSettingsError(messages)
    return settings


def default_settings(services: Iterable[Service[object]] = (), **values: object) -> Settings:
    """Return the default settings, overridden by *values*, without reading the environment or validating.

    The journal is in memory, unless *values* have another one: it is for tests and demonstrations.

    Raise `ValueError` for *services* that `load_settings` refuses.
    """
    nested = {
        service.name: ServiceSettings.model_construct(
            **{name: getattr(service, name) for name in ServiceSettings.model_fields}
        )
        for service in _check_services(services)
    }
    journal = {"journal_url": SecretStr("sqlite:///:memory:")}
    return Settings.model_construct(services=nested).model_copy(update={**journal, **values})


def unknown_variables(environment: Mapping[str, str], services: Iterable[str]) -> Iterator[str]:
    """Yield a line for each unknown `GATEWAY_*` variable in *environment*, except service links.

    *services* are the names of the registered services. The line suggests a setting if a name is similar.
    """
    names = tuple(services)
    known = {*OWN_FIELDS, *(f"{name}_{field}" for name in names for field in ServiceSettings.model_fields)}
    for variable, value in environment.items():
        name = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and name not in known and not is_service_link(variable, value):
            yield f"unknown setting {variable}{_suggest(name, names)}"


def _suggest(name: str, services: tuple[str, ...]) -> str:
    for field in ServiceSettings.model_fields:
        if name.endswith(f"_{field}"):
            service = name.removesuffix(f"_{field}")
            own = [known.removesuffix(f"_{field}") for known in OWN_FIELDS if known.endswith(f"_{field}")]
            similar = difflib.get_close_matches(service, (*services, *own), n=1, cutoff=_CLOSE_MATCH)
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


def _check_services(services: Iterable[Service[object]]) -> Iterator[Service[object]]:
    """Yield *services*; raise `ValueError` for a repeated name, or a name with which a setting begins."""
    seen: set[str] = set()
    for service in services:
        if service.name in seen:
            msg = f"two services are named {service.name!r}"
            raise ValueError(msg)
        seen.add(service.name)
        taken = [name for name in OWN_FIELDS if name.startswith(f"{service.name}_")]
        if taken:
            msg = (
                f"invalid service name {service.name!r}: its settings would be confused with the gateway's"
                f" {PREFIX}{taken[0].upper()}; choose another name"
            )
            raise ValueError(msg)
        yield service


def _describe_errors(error: ValidationError, prefix: str, values: Container[object] = ()) -> Iterator[str]:
    """Yield a line for each part of *error*, which names a field of *values*, or else a variable."""
    for part in error.errors():
        field = ".".join(map(str, part["loc"]))
        name = field if part["loc"][0] in values else f"{prefix}{field.upper()}"
        if part["type"] == "extra_forbidden":
            yield f"unknown setting {name}"
            continue
        shown = "" if "token" in name.lower() else _show(part["input"], is_url=field.endswith("url"))
        reason = part["msg"].removeprefix("Value error, ")
        yield f"invalid {name}{shown}: {reason}"


def _show(value: object, *, is_url: bool) -> str:
    """Return a space and *value*, of a URL its scheme and host; "" if the value must not be shown.

    A value in the variable of another setting may be a URL or credentials.
    """
    text = str(value)
    if not is_url and _MAY_BE_SECRET.search(text) is None:
        return f" {value!r}"
    shown = redact_url(text)
    return f" {shown!r}" if shown else ""
