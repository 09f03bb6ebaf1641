"""The service in this process, on a free port of 127.0.0.1: for tests and pictures of the API and the pages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from imageprocess.serve.app import create_app
from imageprocess.serve.server import configure
from imageprocess.serve.settings import Settings
from testkit.waiting import wait_until


def worker_pids(app: FastAPI) -> list[int]:
    """Process ids of the live workers."""
    return [worker.process.pid for worker in list(app.state.analyser.pool._alive)]


@contextmanager
def running(
    model: Path | str | None, *, prepare: Callable[[FastAPI], object] = lambda app: None, **settings: Any
) -> Iterator[str]:
    """Yields the service's address. `settings` as in serve.settings; `prepare` may change the app before it starts."""
    parsed = Settings(model=None if model is None else str(model), port=0, **settings)
    app = create_app(parsed)
    prepare(app)
    server = uvicorn.Server(configure(parsed, app, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), interval_s=0.01)
        assert thread.is_alive(), "the service did not start"
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
