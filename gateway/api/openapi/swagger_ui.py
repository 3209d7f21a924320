"""The document at /openapi.json, and Swagger UI at /docs without scripts or styles from other hosts."""

from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.staticfiles import StaticFiles

__all__ = ("add_document", "add_swagger_ui")

_ASSETS: Final = "/docs/assets"
_DOCUMENT: Final = "/openapi.json"


def add_document(app: FastAPI) -> None:
    """Add /openapi.json to *app*.

    Unless `servers` of *app* is set, the document names the server that sends it, with the path prefix that a
    proxy or a parent app has removed. FastAPI's own endpoint would list the server without this prefix, too.
    """
    app.openapi_url = _DOCUMENT

    @app.get(_DOCUMENT, include_in_schema=False)
    async def get_document(request: Request) -> JSONResponse:
        document = app.openapi()
        if not app.servers and (prefix := _find_prefix(request)):
            document = {**document, "servers": [{"url": prefix}]}
        return JSONResponse(document)


def add_swagger_ui(app: FastAPI) -> None:
    """Add /docs to *app*, with the scripts and styles that the page loads."""
    app.mount(_ASSETS, StaticFiles(packages=[("fastapi_offline", "static")]))

    @app.get("/docs", include_in_schema=False)
    async def get_docs(request: Request) -> HTMLResponse:
        root = _find_prefix(request)
        return get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=f"{app.title}: HTTP API",
            swagger_js_url=f"{root}{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{root}{_ASSETS}/favicon.png",
            # By default Swagger UI sends the document's address to validator.swagger.io.
            swagger_ui_parameters={"validatorUrl": None},
        )


def _find_prefix(request: Request) -> str:
    prefix: str = request.scope.get("root_path", "")
    return prefix.rstrip("/")
