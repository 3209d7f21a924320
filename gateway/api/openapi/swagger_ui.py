"""The document at /openapi.json, and Swagger UI at /docs without scripts or styles from other hosts."""

from functools import partial
from typing import Any, Final, final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from gateway.api.admission.admission import AdmissionSlot
from gateway.api.admission.in_flight import InFlightLimit
from gateway.api.static_content import StaticContent

__all__ = ("add_document", "add_swagger_ui")

_ASSETS: Final = "/docs/assets"
_DOCUMENT: Final = "/openapi.json"


def add_document(app: FastAPI, limit: InFlightLimit) -> None:
    """Add /openapi.json to *app*; its responses are sent within *limit*.

    Unless `servers` of *app* is set, the document names the server that sends it, with the path prefix that a
    proxy or a parent app has removed. FastAPI's own endpoint would list the server without this prefix, too.
    """
    app.openapi_url = _DOCUMENT
    served = _ServedDocument(app, limit)

    @app.get(_DOCUMENT, include_in_schema=False)
    async def get_document(request: Request) -> Response:
        return served.respond(request)


def add_swagger_ui(app: FastAPI, limit: InFlightLimit) -> None:
    """Add /docs to *app*, with the scripts and styles that the page loads, all sent within *limit*."""
    app.mount(_ASSETS, _Assets(limit))
    page = StaticContent(partial(_build_page, app), "text/html; charset=utf-8", limit)

    @app.get("/docs", include_in_schema=False)
    async def get_docs(request: Request) -> Response:
        return page.respond(request)


@final
class _ServedDocument:
    """The document of *app* as bytes, which are made again after routes were added."""

    def __init__(self, app: FastAPI, limit: InFlightLimit) -> None:
        self._app = app
        self._limit = limit
        self._document: dict[str, Any] | None = None
        self._content: StaticContent | None = None

    def respond(self, request: Request) -> Response:
        document = self._app.openapi()
        if self._content is None or document is not self._document:
            self._document = document
            self._content = StaticContent(partial(self._build, document), "application/json", self._limit)
        return self._content.respond(request)

    def _build(self, document: dict[str, Any], prefix: str) -> bytes:
        if prefix and not self._app.servers:
            document = {**document, "servers": [{"url": prefix}]}
        return bytes(JSONResponse(document).body)


@final
class _Assets(StaticFiles):
    """Scripts and styles of Swagger UI; each response takes a slot of *limit* until it is sent."""

    def __init__(self, limit: InFlightLimit) -> None:
        super().__init__(packages=[("fastapi_offline", "static")])
        self._limit = limit

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with AdmissionSlot(self._limit):
            await super().__call__(scope, receive, send)


def _build_page(app: FastAPI, prefix: str) -> bytes:
    page = get_swagger_ui_html(
        openapi_url=f"{prefix}{app.openapi_url}",
        title=f"{app.title}: HTTP API",
        swagger_js_url=f"{prefix}{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{prefix}{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{prefix}{_ASSETS}/favicon.png",
        # By default Swagger UI sends the document's address to validator.swagger.io.
        swagger_ui_parameters={"validatorUrl": None},
    )
    return bytes(page.body)
