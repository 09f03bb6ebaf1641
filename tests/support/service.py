"""The real service on a free port of 127.0.0.1: for the tests of the API and of the pages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from imageprocess.serve.app import create_app
from imageprocess.serve.server import configure
from imageprocess.serve.settings import Settings


def worker_pids(app: FastAPI) -> list[int]:
    """Of the worker processes that are alive."""
    return [worker.process.pid for worker in list(app.state.analyser.pool._alive)]


@contextmanager
def running(
    model: Path, *, prepare: Callable[[FastAPI], object] = lambda app: None, **settings: Any
) -> Iterator[str]:
    """-> its address. `settings` as in serve.settings; `prepare` may add to the app before it starts."""
    told = Settings(model=str(model), port=0, **settings)
    app = create_app(told)
    prepare(app)
    server = uvicorn.Server(configure(told, app, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the service did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
