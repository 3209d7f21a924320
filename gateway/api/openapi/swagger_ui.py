"""Swagger UI at /docs, without scripts or styles from other hosts."""

from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

__all__ = ("add_swagger_ui",)

_ASSETS: Final = "/docs/assets"


def add_swagger_ui(app: FastAPI) -> None:
    """Add /docs to *app*, with the scripts and styles that the page loads."""
    app.mount(_ASSETS, StaticFiles(packages=[("fastapi_offline", "static")]))

    @app.get("/docs", include_in_schema=False)
    async def get_docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "").rstrip("/")
        return get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=f"{app.title}: HTTP API",
            swagger_js_url=f"{root}{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{root}{_ASSETS}/favicon.png",
            # By default Swagger UI sends the document's address to validator.swagger.io.
            swagger_ui_parameters={"validatorUrl": None},
        )
