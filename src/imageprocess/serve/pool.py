"""The worker processes: starts them, sends them images, kills them on timeout, and replaces dead ones."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect

from ..errors import CrashedError, InputTimeoutError, ModelError
from .metrics import Metrics
from .problems import ProblemError
from .worker import LENGTHS, WorkerOptions

log = logging.getLogger("imageprocess.serve")

_MODULE = "imageprocess.serve.worker"
_START_TIMEOUT_S = 60.0
_CLOSE_TIMEOUT_S = 2.0
_PAUSE_S = 1.0  # after a worker that could not start
_KILL_SHARE = (
    0.97  # share of the time limit after which a worker is killed, so that the client hears within the limit
)
_TRIES = (
    3  # workers that may be killed from outside while they analyse an image, before its request gets a 503
)
_SEND_BUFFER_BYTES = 1_000_000  # of the socket to a worker: most images fit as a whole
_MAX_RESPONSE_BYTES = 64_000_000
_SECRETS = (
    "API_KEY", "IMAGEPROCESS_KEYS_FILE", "IMAGEPROCESS_RATE_STORAGE", "IMAGEPROCESS_WEBHOOK_SECRET",
)  # fmt: skip


IsAbandoned = Callable[[], Awaitable[bool]]
"""Whether the caller no longer waits for the result."""


class _LostError(Exception):
    """Another process killed the worker: an operator, or the kernel when out of memory. Not caused by the image."""


class Pool:
    """`size` workers, each of which analyses one image at a time. At most `max_waiting` images wait for a worker, each
    at most `max_wait_s`; beyond that, requests are refused."""

    def __init__(
        self, options: WorkerOptions, metrics: Metrics, *, size: int, max_waiting: int, max_wait_s: float
    ) -> None:
        self._options, self._metrics, self._size = options, metrics, size
        self._max_waiting, self._max_wait_s = max_waiting, max_wait_s
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._alive: set[_Worker] = set()
        self._slots: list[asyncio.Task[None]] = []
        self._waiting = 0

    async def start(self) -> None:
        """Returns when the first worker is ready; the others follow. Raises ModelError if the first cannot start."""
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._slots = [asyncio.create_task(self._run_slot(first)) for _ in range(self._size)]
        try:
            await first
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        for slot in self._slots:
            slot.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)

    @property
    def is_ready(self) -> bool:
        return bool(self._alive)

    async def submit(self, header: dict[str, Any], data: bytes, is_abandoned: IsAbandoned) -> dict[str, Any]:
        """The response of a worker, see worker.py. Raises InputTimeoutError, CrashedError; ProblemError (503) if the
        queue is full; ClientDisconnect if the request was abandoned while it waited."""
        # Checked here too: uvicorn reads on, and notices a disconnected client, only when it is asked.
        await _raise_if(is_abandoned)
        if self._waiting >= self._max_waiting:
            raise ProblemError("busy", "too many images are waiting; retry later", {"Retry-After": "1"})
        for _ in range(_TRIES):
            worker = await self._next_idle()
            try:
                await _raise_if(is_abandoned)
                return await worker.analyse(header, data, self._options.timeout_s)
            except _LostError:
                continue
            finally:
                if not worker.is_dead:
                    self._idle.put_nowait(worker)
        raise ProblemError(
            "workers_lost", "the workers were killed repeatedly; try again", {"Retry-After": "1"}
        )

    async def _next_idle(self) -> _Worker:
        self._count_waiting(1)
        try:
            async with asyncio.timeout(self._max_wait_s):
                while True:
                    worker = await self._idle.get()
                    if not worker.is_dead:
                        return worker
        except TimeoutError as error:
            raise ProblemError("busy", "waited too long for a free worker", {"Retry-After": "5"}) from error
        finally:
            self._count_waiting(-1)

    def _count_waiting(self, change: int) -> None:
        self._waiting += change
        self._metrics.waiting.inc(change)

    async def _run_slot(self, first: asyncio.Future[None]) -> None:
        """Keep one worker alive: start it, and replace it when it ends. Runs until the pool is closed."""
        while True:
            try:
                worker = await _Worker.start(self._options)
            except ModelError as error:
                log.error("a worker could not start", extra={"facts": {"reason": str(error)}})
                if not first.done():
                    first.set_exception(error)
                await asyncio.sleep(_PAUSE_S)
                continue
            self._alive.add(worker)
            self._metrics.workers.inc()
            self._idle.put_nowait(worker)
            if not first.done():
                first.set_result(None)
            try:
                reason = await worker.wait()
            finally:
                self._alive.discard(worker)
                self._metrics.workers.dec()
                await worker.close()
            self._metrics.count_restart(reason)
            log.warning("a worker ended", extra={"facts": {"reason": reason}})


@dataclass(eq=False, slots=True)
class _Worker:
    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    is_dead: bool = False
    kill_reason: str | None = None  # None if this process did not kill it

    @classmethod
    async def start(cls, options: WorkerOptions) -> _Worker:
        """Returns when the worker is ready. Raises ModelError with the worker's message if it cannot start."""
        parent_end, child_end = socket.socketpair()
        parent_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        with child_end:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-W", "ignore", "-m", _MODULE, options.to_json(),
                stdin=child_end.fileno(), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
                env=confined_environment(),
            )  # fmt: skip
        worker = cls(process, *await asyncio.open_connection(sock=parent_end))
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                response = await worker._read()
        except (asyncio.IncompleteReadError, TimeoutError, OSError) as error:
            await worker.close()
            raise ModelError(f"a worker ended while starting (exit status {process.returncode})") from error
        except BaseException:
            await worker.close()
            raise
        if "failed" in response:
            await worker.close()
            raise ModelError(response["failed"])
        return worker

    async def analyse(self, header: dict[str, Any], data: bytes, timeout_s: float) -> dict[str, Any]:
        """Raises InputTimeoutError, CrashedError, _LostError; then, and after cancellation, the worker is dead."""
        try:
            async with asyncio.timeout(_KILL_SHARE * timeout_s):
                encoded = json.dumps(header).encode()
                self.writer.write(LENGTHS.pack(len(encoded), len(data)) + encoded)
                self.writer.write(data)
                await self.writer.drain()
                response = await self._read()
        except TimeoutError as error:
            self._kill("timeout")
            raise InputTimeoutError(f"analysis took longer than {timeout_s:g} s") from error
        except (asyncio.IncompleteReadError, OSError, ValueError) as error:
            self.is_dead = True
            raise await self._cause_of_death() from error
        except BaseException:
            self._kill("abandoned")
            raise
        if response.get("worn_out"):
            self._kill("memory")
        return response

    async def _read(self) -> dict[str, Any]:
        header_bytes, _ = LENGTHS.unpack(await self.reader.readexactly(LENGTHS.size))
        if header_bytes > _MAX_RESPONSE_BYTES:
            raise ValueError("the worker's response is too long")
        response: dict[str, Any] = json.loads(await self.reader.readexactly(header_bytes))
        return response

    def _kill(self, reason: str) -> None:
        self.is_dead, self.kill_reason = True, self.kill_reason or reason
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def _cause_of_death(self) -> Exception:
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                code = await self.process.wait()
        except TimeoutError:  # it sent an invalid response, or closed its end and still runs
            self._kill("crashed")
            return CrashedError("the worker crashed while analysing it")
        if code == -signal.SIGKILL:
            return _LostError()
        if code == -getattr(signal, "SIGXCPU", 0):
            return InputTimeoutError("analysis exceeded the CPU time limit")
        return CrashedError("the worker crashed while analysing it")

    async def wait(self) -> str:
        """Wait until the process has ended. Returns the cause, for the log and the metrics."""
        code = await self.process.wait()
        self.is_dead = True
        if self.kill_reason:
            return self.kill_reason
        if code == -getattr(signal, "SIGXCPU", 0):
            return "timeout"
        return "killed" if code == -signal.SIGKILL else "crashed"

    async def close(self) -> None:
        """Close this end of the socket, which ends the worker; kill it if it does not end."""
        self.is_dead = True
        self.writer.close()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self.process.wait()
        except TimeoutError:
            self._kill("closed")
            await self.process.wait()


async def _raise_if(is_abandoned: IsAbandoned) -> None:
    if await is_abandoned():
        raise ClientDisconnect


def confined_environment() -> dict[str, str]:
    """This process's environment without secrets, with its import path, and with one thread per library."""
    environment = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    path = os.pathsep.join(filter(None, sys.path))
    return {**environment, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
