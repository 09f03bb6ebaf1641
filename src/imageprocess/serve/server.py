"""Settings -> a running server, one process or several."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from . import logs, metrics
from .app import create_app
from .protocol import Config
from .settings import Settings

_STOP_TIMEOUT_S = 60  # for the requests that are being answered; each has its own, shorter, limits


def configure(settings: Settings, app: Any = None, **more: Any) -> Config:
    """What uvicorn is told. `app`: an app made by `create_app`; by default each process makes its own."""
    return Config(
        app or functools.partial(create_app, settings),
        factory=app is None,
        host=settings.host,
        port=settings.port,
        header_timeout_s=settings.header_timeout_s,
        loop="asyncio",  # measured: with uvloop the workers take a tenth more CPU for the same pictures
        lifespan="on",
        proxy_headers=False,  # app.py believes the hops that it is told to, and no other
        server_header=False,
        access_log=False,  # gate.py's has no addresses
        timeout_graceful_shutdown=_STOP_TIMEOUT_S,
        **{"log_config": logs.configuration(settings), **more},
    )


def run(settings: Settings, workers: int) -> None:
    """Returns when the server has ended."""
    if workers == 1:
        uvicorn.Server(configure(settings)).run()
        return
    if "jobs" not in settings.model_fields_set:
        settings = settings.model_copy(update={"jobs": max(1, settings.jobs // workers)})
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        os.environ[metrics.SHARED_FOLDER] = folder
        config = configure(settings, workers=workers)
        Multiprocess(config, sockets=[config.bind_socket()]).run()
