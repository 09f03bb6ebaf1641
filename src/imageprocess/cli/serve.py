"""`imageprocess serve`: run the HTTP service and its web pages."""

from __future__ import annotations

from typing import Any

import click

from ..errors import UsageError
from ..extras import require_extra


@click.command()
@click.option("--host", help="Address to listen on. Default: HOST, or 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on. Default: PORT, or 8000.")
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="Number of server processes."
)
@click.option(
    "--new-key",
    metavar="NAME",
    help="Generate an API key: prints the key to stderr and its line for the keys file to stdout.",
)
def serve(host: str | None, port: int | None, workers: int, new_key: str | None) -> None:
    """Start the HTTP service and its web pages. Environment variables:

    \b
    API_KEY                          required key; unset: anyone who can reach the service may use it
    IMAGEPROCESS_KEYS_FILE           file of keys, a name and a SHA-256 per line; reloaded when it changes
    IMAGEPROCESS_RATE_PER_ADDRESS    images per client address, e.g. 60/minute; default 120/minute if not on loopback
    IMAGEPROCESS_RATE_PER_KEY        the same per key; unset: no limit
    IMAGEPROCESS_TRUSTED_PROXIES     addresses or networks whose X-Forwarded-For is trusted
    IMAGEPROCESS_CORS_ORIGINS        origins that may call the service from a browser
    IMAGEPROCESS_JOBS                images analysed in parallel; default one per core
    IMAGEPROCESS_MODEL               name of a model, or a model folder
    IMAGEPROCESS_BATCH_JOBS          batch jobs at once; 0: none (docs/jobs.md lists their limits)
    IMAGEPROCESS_WEBHOOK_HOSTS       hosts that may receive webhooks; signed with IMAGEPROCESS_WEBHOOK_SECRET
    IMAGEPROCESS_ISSUES              where to report wrong verdicts: https://.../issues/new, or mailto:...
    All settings and their defaults are in imageprocess/serve/settings.py.

    Exit status: 0 stopped by Ctrl-C or SIGTERM; 2 usage error, invalid setting, or port in use; 3 failed to start.
    """
    with require_extra("serve"):
        from pydantic import ValidationError

        from ..serve import keys, server
        from ..serve.settings import Settings
    from ..model import registry

    if new_key is not None:
        key, line = keys.new_key(new_key)
        click.echo(key, err=True)
        click.echo(line)
        return
    overrides: dict[str, Any] = {"host": host, "port": port}
    try:
        settings = Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise UsageError(f"{'.'.join(map(str, first['loc']))} in the environment: {first['msg']}") from error
    registry.resolve(settings.model)  # fail here rather than with a traceback in every worker
    if settings.keys_file:
        keys.read_keys(settings.keys_file)
    server.run(settings, workers)
