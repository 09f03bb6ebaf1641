"""`imageprocess serve`: the service and its pages."""

from __future__ import annotations

from typing import Any

import click

from ..errors import MissingExtraError, UsageError


@click.command()
@click.option("--host", help="Where to listen; 127.0.0.1 unless told (or HOST).")
@click.option("--port", type=click.IntRange(0, 65535), help="8000 unless told (or PORT).")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Serving processes.")
@click.option(
    "--new-key", metavar="NAME", help="Make a key: itself to stderr, its line for the file to stdout."
)
def serve(host: str | None, port: int | None, workers: int, new_key: str | None) -> None:
    """Start the service and its pages.

    \b
    API_KEY                          ask for this key; unset: everybody who can reach it may use it
    IMAGEPROCESS_KEYS_FILE           many keys, a name and a SHA-256 a line; read again when it changes
    IMAGEPROCESS_RATE_PER_ADDRESS    as 60/minute, in pictures; 120/minute where others can reach it
    IMAGEPROCESS_RATE_PER_KEY        the same for who has a key; unset: no limit
    IMAGEPROCESS_TRUSTED_PROXIES     addresses or networks whose X-Forwarded-For is believed
    IMAGEPROCESS_CORS_ORIGINS        origins whose pages may call it
    IMAGEPROCESS_JOBS                pictures looked at at the same time; one a core
    IMAGEPROCESS_MODEL               a shipped model's name or a model folder
    IMAGEPROCESS_BATCH_JOBS          jobs of many pictures at once; 0: none (docs/jobs.md has their limits)
    IMAGEPROCESS_WEBHOOK_HOSTS       hosts that may be told of a job's end; IMAGEPROCESS_WEBHOOK_SECRET signs it
    IMAGEPROCESS_ISSUES              where visitors report wrong verdicts: https://.../issues/new, or mailto:...
    The rest, with its defaults, is in src/imageprocess/serve/settings.py.

    Exit status: 0 stopped by Ctrl-C or SIGTERM; 2 wrong usage, a setting that cannot be, or a port that is in use;
    3 it could not start.
    """
    try:
        from pydantic import ValidationError

        from ..serve import keys, server
        from ..serve.settings import Settings
    except ImportError as error:
        raise MissingExtraError(error.name or "the service", "serve") from error
    from ..model import registry

    if new_key is not None:
        key, line = keys.new_key(new_key)
        click.echo(key, err=True)
        click.echo(line)
        return
    told: dict[str, Any] = {"host": host, "port": port}
    try:
        settings = Settings(**{name: value for name, value in told.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise UsageError(f"{'.'.join(map(str, first['loc']))} in the environment: {first['msg']}") from error
    registry.resolve(settings.model)  # said now and plainly, not as a traceback out of each worker
    if settings.keys_file:
        keys.read_keys(settings.keys_file)
    server.run(settings, workers)
