"""Stand-ins for three third-party APIs, each after the documented shape of a well-known product.

- `payments`   charges and refunds, in the manner of Stripe: form bodies, nested errors, search by metadata
- `geocoder`   addresses to places, in the manner of Nominatim: query parameters, API key, rate limit
- `tickets`    support tickets, in the manner of a help desk: PATCH, 204, external ids

They know nothing of the gateway. `python -m examples.courier.apis` serves them on ports 8301 to 8303.
"""
