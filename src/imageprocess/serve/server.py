"""Starts the server from its settings, in one process or several."""

from __future__ import annotations

import errno
import functools
import importlib.util
import logging
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from ..errors import UsageError
from ..model import registry
from ..provenance.trust import find_trust_list
from ..web import site
from . import logs, metrics
from .app import create_app
from .protocol import Config
from .settings import Settings

log = logging.getLogger("imageprocess.serve")

_NOT_STARTED = 3  # exit status, as uvicorn's
_STOP_TIMEOUT_S = 60  # for requests in progress; each has its own, shorter, limits


def configure(settings: Settings, app: Any = None, **more: Any) -> Config:
    """uvicorn's configuration. `app`: an app made by `create_app`; by default each process makes its own."""
    return Config(
        app or functools.partial(create_app, settings),
        factory=app is None,
        host=settings.host,
        port=settings.port,
        header_timeout_s=settings.header_timeout_s,
        loop="asyncio",  # measured: with uvloop the workers need 10 % more CPU time for the same images
        lifespan="on",
        proxy_headers=False,  # app.py trusts only the configured proxies
        server_header=False,
        access_log=False,  # it contains addresses; gate.py logs requests without them
        timeout_graceful_shutdown=_STOP_TIMEOUT_S,
        **{"log_config": logs.configuration(settings), **more},
    )


class _Server(uvicorn.Server):
    def _log_started_message(self, listeners: Sequence[socket.SocketType]) -> None:
        """Overrides uvicorn's message. With port 0, the port number is known only once the server listens."""
        log.info(_ready(self.config.host, listeners[0].getsockname()[1]))


def _ready(host: str, port: int) -> str:
    url_host = f"[{host}]" if ":" in host else host
    return f"ready: http://{url_host}:{port} has the pages, http://{url_host}:{port}/docs the API; Ctrl-C stops it"


def run(settings: Settings, workers: int) -> None:
    """Run until the server is stopped. Raises UsageError, before anything is loaded, if the address cannot be used;
    SystemExit(3) if the application cannot start."""
    _check_address(settings)
    if logs.is_text(settings):
        sys.stderr.write("loading the model ...\n")
    if workers == 1:
        server = _Server(configure(settings))
        _log_missing_features(settings)
        server.run()
        if not server.started:
            sys.exit(_NOT_STARTED)
        return
    if "jobs" not in settings.model_fields_set:
        settings = settings.model_copy(update={"jobs": max(1, settings.jobs // workers)})
    if settings.batch_jobs:  # a job exists in one process, and its next request may reach another
        log.warning(
            "batch jobs need --workers 1 (with IMAGEPROCESS_JOBS for parallelism), so they are disabled"
        )
        settings = settings.model_copy(update={"batch_jobs": 0})
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        os.environ[metrics.SHARED_FOLDER] = folder
        config = configure(settings, workers=workers)
        _log_missing_features(settings)
        listener = config.bind_socket()
        log.info(_ready(settings.host, listener.getsockname()[1]))
        Multiprocess(config, sockets=[listener]).run()


def _log_missing_features(settings: Settings) -> None:
    """Log the features that this installation lacks, each with its remedy."""
    if settings.model is None and (better := registry.better_model()):
        log.warning(
            f"using the small model; for a far more accurate one, run: imageprocess model get {better}"
        )
    if not site.has_private_mode():
        log.warning(
            "private mode is not in this installation, so images are sent to this service; to include it, install npm"
            " and reinstall"
        )
    extras = {"c2pa": ("c2pa", "signatures are not checked"), "pi_heif": ("heic", "HEIC is not read")}
    for package, (extra, lack) in extras.items():
        if importlib.util.find_spec(package) is None:
            log.warning(f"{lack}: pip install 'imageprocess[{extra}]'")
    if find_trust_list() is None:
        log.warning("no trust list is installed, so every signer is unknown; run: imageprocess trust update")


def _check_address(settings: Settings) -> None:
    """Check the port before loading the model, which takes seconds."""
    where = f"{settings.host}:{settings.port}"
    try:
        addresses = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in addresses:
            with socket.socket(family, kind, protocol) as probe:
                if os.name == "posix":  # as asyncio does; elsewhere two programs could then use the same port
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"{where} is in use by another program; choose another with --port") from error
        raise UsageError(f"{where}: cannot listen there ({error.strerror})") from error
