"""The app factory: settings in, an ASGI app out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool

from .. import __version__
from ..decode import Limits
from ..detector import Detector
from . import pages, problems, routes, schemas
from .analyser import Analyser
from .gate import Gate
from .metrics import Metrics
from .settings import Settings

DESCRIPTION = (
    "Was this image made by an AI, or by a camera or a human hand? A verdict, a probability, the evidence."
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Reads the environment where no `settings` are given. The model is loaded when the app starts."""
    settings = settings or Settings()
    app = FastAPI(
        title="imageprocess",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,  # FastAPI's own pages load from another host; pages.py has ours
        redoc_url=None,
        lifespan=_load_model,
    )
    app.state.settings = settings
    app.state.metrics = Metrics()
    app.state.analyser = None
    app.add_middleware(Gate, metrics=app.state.metrics)
    problems.install(app)
    app.include_router(routes.verdicts)
    app.include_router(routes.facts)
    pages.install(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _load_model(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    limits = Limits(settings.max_body_bytes, settings.max_pixels, settings.max_frames)
    # Pictures are looked at side by side, so the network itself gets one thread each.
    detector = Detector(settings.model, limits=limits, threads=1)
    await run_in_threadpool(lambda: detector.session)
    app.state.analyser = Analyser(
        detector, app.state.metrics, jobs=settings.jobs, max_waiting=settings.max_waiting
    )
    yield
    app.state.analyser = None


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, less its 422 for bad parameters (ours are 400), plus the problem's schema."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for operation in (call for path in document["paths"].values() for call in path.values()):
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
        known = document["components"]["schemas"]
        known.pop("HTTPValidationError", None)
        known.pop("ValidationError", None)
        known["Problem"] = TypeAdapter(schemas.Problem).json_schema()
        app.openapi_schema = document
    return app.openapi_schema
