"""The local engine: one process per core, results in input order, at most a few chunks ahead.

An image may crash its worker (a decoder bug, out of memory) or hang it. Its chunk is then repeated one image at a time
in a new worker, so that only the image at fault gets an error.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from typing import Any

from ..detector import error_result
from ..errors import CrashedError, ImageProcessError, InputError, InputTimeoutError, ModelError
from ..report.records import to_json
from ..types import Result
from .inputs import Input, name_of
from .score import Scorer, Task

CHUNK = 16  # inputs sent at a time
_CHUNK_BYTES = 8_000_000  # of image data sent with them
_CHUNKS_PER_WORKER = 3  # in progress, or finished and not yet yielded
_START_S = 120.0  # time for a worker to load the model, on a busy machine


def score_locally(inputs: Iterable[Input], task: Task, *, jobs: int, timeout_s: float) -> Iterator[str]:
    """One row per input, in order. Raises ModelError if a worker cannot load the model."""
    with contextlib.closing(analyse_in_processes(inputs, task, jobs=jobs, timeout_s=timeout_s)) as results:
        for result in results:
            yield to_json(result)


def analyse_in_processes(
    inputs: Iterable[Input], task: Task, *, jobs: int, timeout_s: float, chunk_size: int = CHUNK
) -> Generator[Result]:
    """One Result per input, in order. Raises ModelError if a worker cannot load the model."""
    workers = _Workers(task, timeout_s)
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="batch")
    pending: deque[Future[list[Result]]] = deque()
    try:
        for chunk in _chunks(inputs, chunk_size):
            pending.append(pool.submit(workers.analyse, chunk))
            if len(pending) >= _CHUNKS_PER_WORKER * jobs:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
        workers.stop()  # results in progress would be discarded
        pool.shutdown()
        workers.close()


def _chunks(inputs: Iterable[Input], size: int) -> Iterator[list[Input]]:
    chunk: list[Input] = []
    data_bytes = 0
    for item in inputs:
        chunk.append(item)
        data_bytes += 0 if isinstance(item, Result) or item.data is None else len(item.data)
        if len(chunk) == size or data_bytes > _CHUNK_BYTES:
            yield chunk
            chunk, data_bytes = [], 0
    if chunk:
        yield chunk


class _DiedError(Exception):
    """The worker crashed or was killed. `error`: the error class for the image."""

    def __init__(self, error: type[InputError], reason: str) -> None:
        super().__init__(reason)
        self.error = error


class _Workers:
    """One worker process for each thread that calls `analyse`."""

    def __init__(self, task: Task, timeout_s: float) -> None:
        self._task = task
        self._timeout_s = timeout_s
        self._local = threading.local()  # .worker: the worker of this thread
        self._all: set[_Worker] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def analyse(self, chunk: list[Input]) -> list[Result]:
        try:
            return self._submit(chunk)
        except _DiedError as died:
            if len(chunk) == 1:
                name = name_of(chunk[0])
                return [error_result(name, died.error(f"{name}: {died}"))]
        return [result for item in chunk for result in self.analyse([item])]

    def _submit(self, chunk: list[Input]) -> list[Result]:
        worker: _Worker | None = getattr(self._local, "worker", None)
        if worker is None:
            worker = self._local.worker = self._start()
        try:
            return worker.analyse(chunk, self._timeout_s)
        except _DiedError:
            self._local.worker = None
            with self._lock:
                self._all.discard(worker)
            worker.close()
            if self._stopped:
                raise InterruptedError from None
            raise

    def _start(self) -> _Worker:
        with self._lock:
            if self._stopped:
                raise InterruptedError
            worker = _Worker(self._task)
            self._all.add(worker)
            return worker

    def stop(self) -> None:
        """Kill the workers, which releases the threads that wait for them."""
        with self._lock:
            self._stopped = True
            for worker in self._all:
                worker.kill()

    def close(self) -> None:
        for worker in self._all:
            worker.close()


class _Worker:
    """A process with a Scorer."""

    def __init__(self, task: Task) -> None:
        context = _context()
        self._pipe, child_end = context.Pipe()
        self._process = context.Process(target=_work, args=(child_end, task, Path.cwd()), daemon=True)
        self._process.start()
        child_end.close()  # so that the pipe closes when the worker dies
        self._is_loaded = False

    def analyse(self, chunk: list[Input], timeout_s: float) -> list[Result]:
        """Raises _DiedError, or ModelError if the model cannot be loaded."""
        if not self._is_loaded:
            problem = self._receive(_START_S)
            if problem is not None:
                raise ModelError(problem)
            self._is_loaded = True
        try:
            self._pipe.send(chunk)
        except OSError as error:
            raise _DiedError(CrashedError, "the worker crashed before this image") from error
        results: list[Result] = self._receive(timeout_s)
        return results

    def _receive(self, timeout_s: float) -> Any:
        try:
            if self._pipe.poll(timeout_s):
                return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise _DiedError(CrashedError, "the worker crashed on this image") from error
        raise _DiedError(InputTimeoutError, f"took longer than {timeout_s:g} s")

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self.kill()
        self._process.join()
        self._pipe.close()


def _work(pipe: Connection, task: Task, folder: Path) -> None:
    """Worker process: load the model, then analyse chunks until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    warnings.filterwarnings("ignore", module=r"PIL\.")
    os.chdir(folder)  # relative names refer to the caller's directory, not to that of the fork server
    try:
        scorer = Scorer(task)
    except ImageProcessError as error:
        pipe.send(str(error))
        return
    with contextlib.suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            pipe.send(scorer.analyse(pipe.recv()))


def _context() -> SpawnContext | ForkServerContext:
    """A start method that inherits only imports: a fork could copy locks that other threads hold."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([Scorer.__module__])
    return context
