"""Routes of the web pages: the same files as in the static site."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from starlette.responses import JSONResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ..web import site

WEB = site.WEB
_REVALIDATE = {"Cache-Control": "no-cache"}  # cached, but revalidated at each use: a 304 by ETag is cheap

pages = APIRouter(include_in_schema=False)


class _Assets(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_REVALIDATE)
        return response


_STATIC = StaticFiles()  # without a folder: only used to send a single file, or 304 if it is unchanged


def install(app: FastAPI) -> None:
    app.include_router(pages)
    app.mount("/assets", _Assets(directory=WEB / "assets"))


@pages.api_route("/", methods=["GET", "HEAD"])
async def root(request: Request) -> Response:
    if _wants_json_only(request.headers.get("accept", "")):
        message = "imageprocess detects AI-generated images; see /docs"
        return JSONResponse({"message": message, "status": "active"}, headers={"Vary": "Accept"})
    return _page(request, "index.html")


@pages.api_route("/index.html", methods=["GET", "HEAD"])
async def index(request: Request) -> Response:
    return _page(request, "index.html")


@pages.api_route("/predict.html", methods=["GET", "HEAD"])
async def predict(request: Request) -> Response:
    return _page(request, "predict.html")


@pages.api_route("/docs", methods=["GET", "HEAD"])
@pages.api_route("/docs.html", methods=["GET", "HEAD"])
async def docs(request: Request) -> Response:
    return _page(request, "docs.html")


@pages.api_route("/site.json", methods=["GET", "HEAD"])
def facts(request: Request) -> Response:
    issues = request.app.state.settings.issues
    content = site.facts(service=True, issues=issues, thorough=_thorough(request), credentials=True)
    return JSONResponse(content, headers=_REVALIDATE)


@pages.api_route("/shell.json", methods=["GET", "HEAD"])
def shell(request: Request) -> Response:
    issues = request.app.state.settings.issues
    return JSONResponse(site.shell(_model(request), _thorough(request), issues=issues), headers=_REVALIDATE)


@pages.api_route("/sw.js", methods=["GET", "HEAD"])
@pages.api_route("/manifest.webmanifest", methods=["GET", "HEAD"])
@pages.api_route("/verdict.json", methods=["GET", "HEAD"])
@pages.api_route("/tools.json", methods=["GET", "HEAD"])
@pages.api_route("/model/{name}", methods=["GET", "HEAD"])
@pages.api_route("/network/{name}", methods=["GET", "HEAD"])
@pages.api_route("/thorough/{name}", methods=["GET", "HEAD"])
@pages.api_route("/trust/{name}", methods=["GET", "HEAD"])
def private_mode(request: Request) -> Response:
    """The files that run the model in the browser, and the service worker."""
    address = request.url.path.removeprefix("/")
    # Not cached: the lists of trusted signers may change while the service runs.
    files = (
        site.verifier_files() if address.startswith("trust/") else _files(_model(request), _thorough(request))
    )
    path = files.get(address)
    if path is None:
        raise HTTPException(404)
    return _file(request, path)


def _model(request: Request) -> Path:
    return site.browser_model(request.app.state.settings.model)


def _thorough(request: Request) -> Path | None:
    return site.thorough_model(request.app.state.settings.model)


@lru_cache(maxsize=4)
def _files(model: Path, thorough: Path | None) -> dict[str, Path]:
    return site.files(model, thorough)


def _page(request: Request, name: str) -> Response:
    response = _file(request, WEB / name)
    response.headers["Vary"] = "Accept"
    return response


def _file(request: Request, path: Path) -> Response:
    response = _STATIC.file_response(path, path.stat(), request.scope)
    response.headers.update(_REVALIDATE)
    return response


def _wants_json_only(accept: str) -> bool:
    """Whether the Accept header allows JSON but no HTML. Browsers send text/html and simple clients */*; both get the
    page."""
    ranges = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return "application/json" in ranges and not ranges & {"text/html", "text/*", "*/*"}
