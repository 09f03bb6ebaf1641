"""The local engine: a process a core, results in the inputs' order, a few chunks ahead and no more.

A picture may kill its worker (a decoder's fault, the kernel short of memory) or keep it busy for ever. The chunk it
was in is then gone through again one picture at a time in a fresh worker, so that the guilty one alone gets an error.
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

from ..detector import failed
from ..errors import CrashedError, ImageProcessError, InputError, InputTimeoutError, ModelError
from ..report.records import to_json
from ..types import Result
from .inputs import Input, name_of
from .score import Scorer, Task

CHUNK = 16  # inputs sent at a time
_CHUNK_BYTES = 8_000_000  # of pictures that travel with them
_AHEAD = 3  # chunks in the making for each worker
_START_S = 120.0  # a worker's time to load the network, on a busy machine


def score_locally(inputs: Iterable[Input], task: Task, *, jobs: int, timeout_s: float) -> Iterator[str]:
    """One row an input, in order. Raises ModelError where a worker cannot load the network."""
    with contextlib.closing(judge_locally(inputs, task, jobs=jobs, timeout_s=timeout_s)) as results:
        for result in results:
            yield to_json(result)


def judge_locally(
    inputs: Iterable[Input], task: Task, *, jobs: int, timeout_s: float, chunk_size: int = CHUNK
) -> Generator[Result]:
    """One Result an input, in order. Raises ModelError where a worker cannot load the network."""
    workers = _Workers(task, timeout_s)
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="batch")
    ahead: deque[Future[list[Result]]] = deque()
    try:
        for chunk in _chunks(inputs, chunk_size):
            ahead.append(pool.submit(workers.judge, chunk))
            if len(ahead) >= _AHEAD * jobs:
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()
    finally:
        for future in ahead:
            future.cancel()
        workers.stop()  # what is still being computed would only be thrown away
        pool.shutdown()
        workers.close()


def _chunks(inputs: Iterable[Input], size: int) -> Iterator[list[Input]]:
    chunk: list[Input] = []
    weight = 0
    for one in inputs:
        chunk.append(one)
        weight += 0 if isinstance(one, Result) or one.data is None else len(one.data)
        if len(chunk) == size or weight > _CHUNK_BYTES:
            yield chunk
            chunk, weight = [], 0
    if chunk:
        yield chunk


class _DiedError(Exception):
    """The worker is gone, or had to be ended. `error` is what that means for a picture."""

    def __init__(self, error: type[InputError], reason: str) -> None:
        super().__init__(reason)
        self.error = error


class _Workers:
    """A worker process for each thread of the pool that calls `judge`."""

    def __init__(self, task: Task, timeout_s: float) -> None:
        self._task = task
        self._timeout_s = timeout_s
        self._mine = threading.local()
        self._all: set[_Worker] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def judge(self, chunk: list[Input]) -> list[Result]:
        try:
            return self._ask(chunk)
        except _DiedError as died:
            if len(chunk) == 1:
                name = name_of(chunk[0])
                return [failed(name, died.error(f"{name}: {died}"))]
        return [result for one in chunk for result in self.judge([one])]

    def _ask(self, chunk: list[Input]) -> list[Result]:
        worker: _Worker | None = getattr(self._mine, "worker", None)
        if worker is None:
            worker = self._mine.worker = self._start()
        try:
            return worker.ask(chunk, self._timeout_s)
        except _DiedError:
            self._mine.worker = None
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
        """End the workers; the threads that wait for one stop waiting."""
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
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, task, Path.cwd()), daemon=True)
        self._process.start()
        theirs.close()  # so that its death shows as the end of the pipe
        self._loaded = False

    def ask(self, chunk: list[Input], timeout_s: float) -> list[Result]:
        """Raises _DiedError; ModelError where the network cannot be loaded."""
        if not self._loaded:
            problem = self._receive(_START_S)
            if problem is not None:
                raise ModelError(problem)
            self._loaded = True
        try:
            self._pipe.send(chunk)
        except OSError as error:
            raise _DiedError(CrashedError, "the worker died before it") from error
        results: list[Result] = self._receive(timeout_s)
        return results

    def _receive(self, timeout_s: float) -> Any:
        try:
            if self._pipe.poll(timeout_s):
                return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise _DiedError(CrashedError, "the worker died on it") from error
        raise _DiedError(InputTimeoutError, f"took longer than {timeout_s:g} s")

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self.kill()
        self._process.join()
        self._pipe.close()


def _work(pipe: Connection, task: Task, folder: Path) -> None:
    """A worker's life: load, then answer until the other end goes away, however that may happen."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started us
    warnings.filterwarnings("ignore", module=r"PIL\.")
    os.chdir(
        folder
    )  # names are relative to where the caller stands now, not where the fork server was started
    try:
        scorer = Scorer(task)
    except ImageProcessError as error:
        pipe.send(str(error))
        return
    with contextlib.suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            pipe.send(scorer.judge(pipe.recv()))


def _context() -> SpawnContext | ForkServerContext:
    """Processes that inherit nothing of ours but the imports: a fork would take locks held by other threads along."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([Scorer.__module__])
    return context
