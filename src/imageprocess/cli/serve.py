"""`imageprocess serve`: the service and its pages."""

from __future__ import annotations

import click

from ..errors import MissingExtraError, UsageError


@click.command()
@click.option("--host", help="Where to listen; 127.0.0.1 unless told (or HOST).")
@click.option("--port", type=click.IntRange(0, 65535), help="8000 unless told (or PORT).")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
def serve(host: str | None, port: int | None, workers: int) -> None:
    """Start the service and its pages.

    \b
    API_KEY             ask for this key; unset: everybody who can reach it may use it
    IMAGEPROCESS_MODEL  a shipped model's name or a model folder
    """
    try:
        import uvicorn
        from pydantic import ValidationError

        from ..serve.settings import Settings
    except ImportError as error:
        raise MissingExtraError(error.name or "the service", "serve") from error
    from ..model import registry

    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise UsageError(f"{'.'.join(map(str, first['loc']))} in the environment: {first['msg']}") from error
    registry.resolve(settings.model)  # said now and plainly, not as a traceback out of each worker
    uvicorn.run(
        "imageprocess.serve.app:create_app",
        factory=True,
        host=host or settings.host,
        port=settings.port if port is None else port,
        workers=workers,
        server_header=False,
    )
