"""The app factory: builds the ASGI app from the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from .. import __version__
from ..model import registry
from ..model.spec import load_spec
from . import pages, problems, rates, routes, schemas
from .analyser import Analyser
from .body import BodyMemory
from .drain import draining_on_sigterm
from .gate import Gate
from .jobs.jobs import Jobs
from .jobs.routes import routes as job_routes
from .keys import KeyRing
from .metrics import Metrics
from .pool import Pool
from .rates import Rates
from .settings import Settings
from .worker import WorkerOptions

DESCRIPTION = "Detects AI-generated images. Returns a verdict, a probability and the evidence."


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the app; `settings` default to the environment. The workers start with the app's lifespan.

    Raises UsageError or MissingExtraError if keys or rate limits cannot be set up.
    """
    settings = settings or Settings()
    app = FastAPI(
        title="imageprocess",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,  # FastAPI's own pages load scripts from another host; pages.py serves the replacement
        redoc_url=None,
        lifespan=_run_workers,
    )
    state = app.state
    state.settings = settings
    state.metrics = Metrics()
    state.keys = KeyRing(settings.api_key, settings.keys_file)
    state.rates = Rates(settings.rate_per_address, settings.rate_per_key, settings.rate_storage)
    state.jobs = Jobs(settings, state.metrics, state.rates)
    state.body_memory = BodyMemory(settings.max_held_bytes)
    state.analyser = None
    state.is_draining = False
    _wrap(app, settings)
    problems.install(app)
    app.include_router(routes.verdicts)
    app.include_router(job_routes)
    app.include_router(routes.facts)
    pages.install(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _wrap(app: FastAPI, settings: Settings) -> None:
    """Add the middleware; the last one added handles a request first."""
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["Location", "Retry-After", "X-Job-State", "X-Request-ID", *rates.HEADERS],
        )
    app.add_middleware(Gate, service=app, metrics=app.state.metrics)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))


@asynccontextmanager
async def _run_workers(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    options = WorkerOptions(
        model=settings.model,
        max_bytes=settings.max_body_bytes,
        max_pixels=settings.max_pixels,
        max_frames=settings.max_frames,
        timeout_s=settings.timeout_s,
        memory_bytes=settings.worker_memory_bytes,
    )
    pool = Pool(
        options,
        app.state.metrics,
        size=settings.jobs,
        max_waiting=settings.max_waiting,
        max_wait_s=settings.max_wait_s,
    )

    def begin_draining() -> None:
        app.state.is_draining = True

    await pool.start()
    app.state.spec = load_spec(registry.resolve(settings.model))
    app.state.analyser = Analyser(pool, app.state.metrics)
    app.state.jobs.start(app.state.analyser)
    try:
        with draining_on_sigterm(settings.drain_s, begin_draining):
            yield
    finally:
        app.state.analyser = None
        await app.state.jobs.close()
        await pool.close()
        await app.state.rates.close()


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document without its 422 for invalid parameters (this service responds with 400), without keys if none
    are required, and with the schema of problems."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for operation in (call for path in document["paths"].values() for call in path.values()):
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
            if not app.state.keys.is_required:
                operation.pop("security", None)
        components = document["components"]["schemas"]
        components.pop("HTTPValidationError", None)
        components.pop("ValidationError", None)
        components["Problem"] = TypeAdapter(schemas.Problem).json_schema()
        app.openapi_schema = document
    return app.openapi_schema
