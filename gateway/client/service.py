"""Registration of an upstream service: its name, class, address and terms."""

import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar, final

import httpx
from pydantic import SecretStr

from gateway.client.answers.body import MAX_ANSWER_BYTES
from gateway.client.answers.problems import ReadError
from gateway.client.answers.refusals import Refusals
from gateway.client.operations.conventions import AUTHORIZATION, IDEMPOTENCY_KEY, Conventions
from gateway.client.sender import USER_AGENT
from gateway.client.service_client import ServiceClient
from gateway.client.url import normalize_base_url
from gateway.resilience.policies import Policies
from gateway.resilience.terms import BreakerTerms, ConcurrencyTerms, PolicyTerms, RetryTerms
from gateway.resilience.validation import check_whole

__all__ = ("Service", "ServiceConnection")

T_co = TypeVar("T_co", covariant=True)

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@final
@dataclass(frozen=True, slots=True)
class ServiceConnection:
    """A connected service: its *client*, and the *instance* of its class that pipelines call."""

    name: str
    client: ServiceClient
    instance: object


@final
@dataclass(frozen=True, slots=True)
class Service(Generic[T_co]):
    """Registration of an upstream service.

    - *name*: singular and in snake case, such as `loyalty`. Settings (`GATEWAY_LOYALTY_URL`,
      `GATEWAY_LOYALTY_TOKEN`, ...), readiness checks and messages use it.
    - *kind*: class of the service, constructed with a `ServiceClient`. Pipelines receive the instance as the
      parameter that is annotated with the class.
    - *url*: base URL, http or https; it may have a path, but no credentials, query or fragment.
    - *timeout_ms*: milliseconds for one attempt of a call; by default `GATEWAY_CALL_TIMEOUT_MS`.
    - *max_concurrency*: concurrent attempts; by default `GATEWAY_MAX_CONCURRENCY`.
    - *queue_ms*: milliseconds for which an attempt may wait at the concurrency limit; 0 means no waiting, and
      None means the default of `ConcurrencyTerms`.
    - *breaker*, *retries*: terms of the circuit breakers and of the retries.
    - *headers*: default headers of every request, which the headers of a call replace.
    - *ca_file*: file with the authorities that are trusted for https, in PEM; by default those of the system.
    - *certificate_file*: file with the client certificate for https and its key, in PEM.
    - *token*: credentials for the service. They are sent only to it, and appear in no `repr` or log.
    - *token_header*: header of the token. In `Authorization`, the token is a bearer token, unless it has
      a scheme of its own, such as `Basic`; in any other header it is sent as it is.
    - *read_error*: returns the detail in the parsed JSON of a declared 4xx that is no
      `application/problem+json`, or None. The caller reads the detail, as one line of at most 200 characters.
    - *refusals*: responses whose declared status counts as the service's refusal: `"json"` for every JSON
      media type, `"any"`, or a function of the response that reads its status and headers. An operation can
      have its own. The same status from anything else, such as a proxy's page, counts as not declared.
    - *max_answer_bytes*: the largest body of a response that is read; by default `GATEWAY_MAX_ANSWER_BYTES`.
    - *key_header*: header of the idempotency keys of writes.
    - *key_field*: field of the JSON or form body that has the key, in place of the header.
    - *settling_ms*: milliseconds after which a write that has been sent either has taken effect or never
      will. An undo that finds no write (`find`, `gone`) counts it as undone only after this time.

    The environment takes precedence over *url*, *timeout_ms*, *max_concurrency*, *token*, *ca_file* and
    *certificate_file*. The others have no setting.

    Raise `ValueError` for an invalid name, URL, header or field, and for a number that is not whole or out of
    range, and `TypeError` for a *breaker* or *retries* of another type.
    """

    name: str
    kind: Callable[[ServiceClient], T_co]
    _: KW_ONLY
    url: str
    timeout_ms: int | None = None
    max_concurrency: int | None = None
    queue_ms: int | None = None
    breaker: BreakerTerms = field(default_factory=BreakerTerms)
    retries: RetryTerms = field(default_factory=RetryTerms)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, hash=False)
    ca_file: Path | str | None = None
    certificate_file: Path | str | None = None
    token: SecretStr | None = None
    token_header: str = AUTHORIZATION
    read_error: ReadError | None = None
    key_header: str = IDEMPOTENCY_KEY
    key_field: str | None = None
    settling_ms: int = 0
    refusals: Refusals = "json"
    max_answer_bytes: int | None = None

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            msg = f"invalid service name {self.name!r}: expected snake case, such as 'loyalty'"
            raise ValueError(msg)
        try:
            normalize_base_url(self.url)
        except ValueError as error:
            msg = f"invalid URL of service {self.name!r}: {error}"
            raise ValueError(msg) from None
        for term, value, minimum in (
            ("timeout_ms", self.timeout_ms, 1),
            ("max_concurrency", self.max_concurrency, 1),
            ("queue_ms", self.queue_ms, 0),
            ("max_answer_bytes", self.max_answer_bytes, 1),
        ):
            if value is not None:
                check_whole(f"{term} of service {self.name!r}", value, minimum)
        self._check_terms("breaker", self.breaker, BreakerTerms)
        self._check_terms("retries", self.retries, RetryTerms)
        try:
            self._build_conventions(self.token)
        except ValueError as error:
            msg = f"service {self.name!r}: {error}"
            raise ValueError(msg) from None

    def connect(  # noqa: PLR0913 - the settings of a service, by keyword
        self,
        transport: httpx.AsyncBaseTransport,
        *,
        url: str,
        timeout: float,
        max_concurrency: int,
        token: SecretStr | None = None,
        user_agent: str = USER_AGENT,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> ServiceConnection:
        """Build a client that calls the service at *url*, and the instance of the service's class.

        One attempt of a call has *timeout* seconds, and at most *max_concurrency* attempts run at once. The
        requests have the credentials *token*, by default those of the registration. The largest body that is
        read has *max_answer_bytes*, unless the registration has its own limit. Nothing is sent yet.
        Raise `ValueError` if an argument is invalid.
        """
        terms = PolicyTerms(self._build_concurrency_terms(max_concurrency), self.breaker, self.retries)
        policies = Policies(self.name, terms)
        client = ServiceClient(
            self.name,
            url,
            transport,
            policies,
            timeout=timeout,
            user_agent=user_agent,
            conventions=self._build_conventions(
                token or self.token, self.max_answer_bytes or max_answer_bytes
            ),
        )
        return ServiceConnection(self.name, client, self.kind(client))

    def _check_terms(self, name: str, value: object, expected: type) -> None:
        if not isinstance(value, expected):
            msg = f"{name} of service {self.name!r} must be {expected.__name__}, got {value!r}"
            raise TypeError(msg)

    def _build_concurrency_terms(self, max_concurrency: int) -> ConcurrencyTerms:
        if self.queue_ms is None:
            return ConcurrencyTerms(max_concurrency)
        return ConcurrencyTerms(max_concurrency, self.queue_ms / 1000)

    def _build_conventions(
        self, token: SecretStr | None, max_answer_bytes: int = MAX_ANSWER_BYTES
    ) -> Conventions:
        return Conventions(
            headers=self.headers,
            token=token,
            token_header=self.token_header,
            read_error=self.read_error,
            key_header=self.key_header,
            key_field=self.key_field,
            settling_ms=self.settling_ms,
            refusals=self.refusals,
            max_answer_bytes=max_answer_bytes,
        )
