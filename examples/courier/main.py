"""The courier's gateway.

Run it with `gateway serve --app examples.courier.main:app`, beside `python -m examples.courier.apis`.

The credentials of the stand-ins are settings: `GATEWAY_PAYMENT_TOKEN` and `GATEWAY_GEOCODER_TOKEN`.
examples/README.md has the commands.
"""

from typing import Final

from examples.courier.pipelines import assignments, deliveries, overview, tours
from examples.courier.services.geocoder import Geocoder
from examples.courier.services.payments import Payments, read_payment_error
from examples.courier.services.tickets import Tickets, read_ticket_error
from gateway import Route, Service, create_app

__all__ = ("PIPELINES", "SERVICES", "app")

SERVICES: Final = (
    Service(
        "payment",
        Payments,
        url="http://127.0.0.1:8301",
        read_error=read_payment_error,
        settling_ms=3000,  # a second for the charge, and one for the search, which lags behind
    ),
    Service("geocoder", Geocoder, url="http://127.0.0.1:8302", token_header="X-Api-Key"),  # noqa: S106 - a name
    Service(
        "ticket",
        Tickets,
        url="http://127.0.0.1:8303",
        read_error=read_ticket_error,
        key_field="external_id",
        settling_ms=500,
    ),
)
"""The services, in front of APIs that were not designed for the gateway."""

PIPELINES: Final = (
    Route("POST", "/tours", tours),
    Route("POST", "/deliveries", deliveries, status=201),
    Route("GET", "/deliveries/{ticket_id}/{charge_id}", overview),
    Route("PATCH", "/tickets/{ticket_id}", assignments, status=204),
)

app = create_app(services=SERVICES, pipelines=PIPELINES, name="courier")
