"""Authorities and client certificates of services, by registration and by setting."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from gateway.app import create_app
from gateway.client.service import Service
from gateway.services.users import Users
from gateway.settings import InvalidSettingsError, load_settings
from tests.http1.raw_server import answer_all, serve

CERTIFICATE: Final = Path(__file__).parents[2] / "http1/certificate.pem"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Port of a service that requires a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    context.load_verify_locations(CERTIFICATE)
    context.verify_mode = ssl.CERT_REQUIRED
    async with serve(answer_all, context) as port:
        yield port


async def check(service: Service[Users], transport: str) -> str:
    """Return the status of *service* in the readiness of a gateway, which sends it a request."""
    services = [service]
    app = create_app(load_settings(services, transport=transport), services=services, pipelines=[])
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client,
    ):
        status: str = (await client.get("/health/ready")).json()["checks"]["users"][0]["status"]
    return status


@pytest.mark.parametrize("transport", ["http1", "httpx"])
@pytest.mark.parametrize(
    ("ca_file", "certificate_file", "status"),
    [(CERTIFICATE, CERTIFICATE, "pass"), (None, CERTIFICATE, "fail"), (CERTIFICATE, None, "fail")],
    ids=["both", "no authority", "no client certificate"],
)
async def test_registered_files_are_used(
    port: int, ca_file: Path | None, certificate_file: Path | None, status: str, transport: str
) -> None:
    service = Service(
        "users",
        Users,
        url=f"https://localhost:{port}",
        ca_file=ca_file,
        certificate_file=certificate_file,
    )

    assert await check(service, transport) == status


async def test_files_can_be_set(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setenv("GATEWAY_USERS_CA_FILE", str(CERTIFICATE))
    monkeypatch.setenv("GATEWAY_USERS_CERTIFICATE_FILE", str(CERTIFICATE))

    assert await check(Service("users", Users, url=f"https://localhost:{port}"), "http1") == "pass"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("CA_FILE", "expected a file with certificates in PEM"),
        ("CERTIFICATE_FILE", "expected a file with a certificate and its key in PEM"),
    ],
)
@pytest.mark.parametrize("path", [__file__, "/absent.pem"], ids=["no certificate", "absent"])
def test_unusable_file_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, reason: str, path: str) -> None:
    monkeypatch.setenv(f"GATEWAY_USERS_{name}", path)

    with pytest.raises(InvalidSettingsError, match=f"invalid GATEWAY_USERS_{name} .*: {reason}"):
        load_settings([Service("users", Users, url="https://users.test")])
