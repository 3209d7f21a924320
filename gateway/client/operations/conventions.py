"""Conventions of a service: its default headers, credentials, error bodies and idempotency keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, final

from pydantic import SecretStr

from gateway.client.answers.body import MAX_ANSWER_BYTES
from gateway.client.answers.problems import ReadError
from gateway.client.answers.refusals import Refusals, choose_refusal_check
from gateway.client.operations.request_headers import check_header
from gateway.resilience.validation import check_whole

__all__ = ("AUTHORIZATION", "IDEMPOTENCY_KEY", "Conventions")

AUTHORIZATION: Final = "Authorization"
IDEMPOTENCY_KEY: Final = "Idempotency-Key"


@final
@dataclass(frozen=True, slots=True)
class Conventions:
    """Conventions of a service, all of them optional (see `Service`, whose arguments have the same names).

    Raise `ValueError` for an invalid header, token, number or *refusals*, and for an empty *key_field*.
    """

    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    token: SecretStr | None = None
    token_header: str = AUTHORIZATION
    read_error: ReadError | None = None
    key_header: str = IDEMPOTENCY_KEY
    key_field: str | None = None
    settling_ms: int = 0
    refusals: Refusals = "json"
    max_answer_bytes: int = MAX_ANSWER_BYTES

    def __post_init__(self) -> None:
        for name, value in self.headers.items():
            check_header(name, value)
        check_header(self.token_header, "token" if self.token is None else self.token.get_secret_value())
        check_header(self.key_header, "key")
        if self.key_field == "":
            msg = "key_field must not be empty"
            raise ValueError(msg)
        check_whole("settling_ms", self.settling_ms, 0)
        choose_refusal_check(self.refusals)
        check_whole("max_answer_bytes", self.max_answer_bytes, 1)

    @property
    def credentials(self) -> Mapping[str, str]:
        """Return the header with the token; empty without a token.

        In `Authorization`, the scheme is `Bearer` unless the token has a scheme of its own, such as `Basic`.
        """
        if self.token is None:
            return {}
        token = self.token.get_secret_value()
        needs_scheme = self.token_header.lower() == AUTHORIZATION.lower() and " " not in token
        return {self.token_header: f"Bearer {token}" if needs_scheme else token}
