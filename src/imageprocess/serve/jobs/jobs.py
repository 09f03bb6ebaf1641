"""All jobs of this process: who may send one, who sees it, and in which order their pictures are looked at.

At most half of the workers look at pictures of jobs, so that a single request always finds the others; where there is
but one worker, they take turns. Where too many single requests wait, jobs wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Any

from starlette.requests import ClientDisconnect

from ...detector import failed
from ...errors import CorruptImageError
from ...report.records import to_record
from ...types import Mode, Result, Source
from ..analyser import Analyser
from ..metrics import Metrics
from ..problems import ProblemError
from ..rates import Rates
from ..settings import Settings
from .archives import DamageError
from .job import Job, Owner, Webhook
from .spool import Spool
from .upload import Upload
from .webhook import Webhooks

log = logging.getLogger("imageprocess.serve")

_KEPT = 20  # finished jobs of one owner; the oldest is forgotten for the next
_MAX_PAUSE_S = 5.0


class Jobs:
    def __init__(self, settings: Settings, metrics: Metrics, rates: Rates) -> None:
        self._settings, self._metrics, self._rates = settings, metrics, rates
        self.webhooks = Webhooks(settings, metrics)
        self._jobs: dict[str, Job] = {}  # in the order in which they began
        self._busy: Counter[tuple[str, str | None]] = (
            Counter()
        )  # owner -> unfinished, those being sent included
        self._tasks: set[asyncio.Task[None]] = set()
        self._analyser: Analyser | None = None
        self._lanes = asyncio.Semaphore(max(1, settings.jobs // 2))
        self._ahead = max(1, settings.jobs // 2)  # pictures of one job in memory

    def start(self, analyser: Analyser) -> None:
        self._analyser = analyser

    async def close(self) -> None:
        """All of them are lost."""
        for job in list(self._jobs.values()):
            self.forget(job)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextmanager
    def reserve(self, owner: Owner) -> Iterator[None]:
        """A place for one more job while its body is read. Raises ProblemError where there is none."""
        most = self._settings.batch_jobs
        if not most:
            raise ProblemError("jobs_off", "batch jobs are disabled on this service")
        if self._busy.total() >= most or self._busy[owner.subject] >= max(1, most // 2):
            detail = "too many unfinished jobs; wait for one to end, or delete one"
            raise ProblemError("busy", detail, {"Retry-After": "30"})
        self._take(owner, 1)
        try:
            yield
        finally:
            self._take(owner, -1)

    def begin(self, upload: Upload, owner: Owner, mode: Mode, webhook: str | None) -> Job:
        """Within `reserve`. Raises OSError."""
        folder = self._settings.batch_folder
        rows = {"jsonl": Spool(folder), "csv": Spool(folder)}
        hook = Webhook(webhook) if webhook else None
        job = Job(owner, upload, mode, hook, rows, lifetime_s=self._settings.batch_lifetime_s)  # type: ignore[arg-type]
        self._jobs[job.id] = job
        self._take(owner, 1)
        task = asyncio.create_task(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    def find(self, job_id: str, owner: Owner) -> Job:
        """Raises ProblemError if there is none, or if it belongs to another key."""
        job = self._jobs.get(job_id)
        if job is None or job.owner.key != owner.key:
            raise ProblemError("not_found", "no such job; it was deleted or has expired")
        return job

    def forget(self, job: Job) -> None:
        """Cancel it where it runs; its pictures and records go with the last who reads them."""
        job.gone.set()
        self._jobs.pop(job.id, None)

    def _take(self, owner: Owner, change: int) -> None:
        self._busy[owner.subject] += change
        if not self._busy[owner.subject]:
            del self._busy[owner.subject]
        self._metrics.jobs.inc(change)

    async def _run(self, job: Job) -> None:
        try:
            await self._look_at_all(job)
            state = "cancelled" if job.gone.is_set() else "finished"
        except Exception as error:
            state = "failed"
            log.exception("a job failed", extra={"facts": {"error": type(error).__name__}})
        except asyncio.CancelledError:
            state = "cancelled"
            raise
        finally:
            job.end("failed" if state == "failed" else "finished")
            self._take(job.owner, -1)
            self._metrics.jobs_ended.labels(state).inc()
        self._keep_for_a_while(job)
        await self.webhooks.tell(job)

    def _keep_for_a_while(self, job: Job) -> None:
        asyncio.get_running_loop().call_later(job.lifetime_s, self.forget, job)
        ended = [one for one in self._jobs.values() if one.ended and one.owner.subject == job.owner.subject]
        for old in ended[:-_KEPT]:
            self.forget(old)

    async def _look_at_all(self, job: Job) -> None:
        """Some pictures ahead of the row that is written next: rows keep the order of the pictures."""
        await job.begin()
        ahead: deque[asyncio.Task[dict[str, Any]]] = deque()
        try:
            async with aclosing(job.upload.pictures()) as pictures:
                async for picture in pictures:
                    if job.gone.is_set():
                        return
                    ahead.append(asyncio.create_task(self._look_at(job, picture)))
                    if len(ahead) >= self._ahead:
                        await job.add(await ahead.popleft())
            while ahead:
                await job.add(await ahead.popleft())
        except ClientDisconnect:  # it was cancelled
            return
        except DamageError as error:
            while ahead:
                await job.add(await ahead.popleft())
            unreadable = CorruptImageError(f"the archive cannot be read from here on: {error}")
            await job.add(to_record(failed("archive", unreadable)))
        finally:
            if (
                job.gone.is_set()
            ):  # those whose turn has come are answered; to kill their workers would cost more
                await asyncio.gather(*ahead, return_exceptions=True)
            for task in ahead:
                task.cancel()

    async def _look_at(self, job: Job, picture: Source | Result) -> dict[str, Any]:
        """Raises ClientDisconnect where the job was cancelled meanwhile."""
        if isinstance(picture, Result):
            return to_record(picture)
        await self._pay(job)
        while True:
            try:
                async with self._lanes:
                    assert self._analyser is not None
                    return await self._analyser.analyse(picture, job.mode, False, job.has_left)
            except ProblemError as error:
                if not error.is_temporary:
                    raise
            await self._pause(job, 1.0)  # the queue is full: single requests go first

    async def _pay(self, job: Job) -> None:
        while True:
            allowance = await self._rates.charge_job(job.owner.key, job.owner.host)
            if allowance is None or not allowance.is_exceeded:
                return
            await self._pause(job, allowance.reset_s)

    async def _pause(self, job: Job, seconds: float) -> None:
        """Raises ClientDisconnect where the job is cancelled meanwhile."""
        with suppress(TimeoutError):
            await asyncio.wait_for(job.gone.wait(), min(max(seconds, 0.1), _MAX_PAUSE_S))
            raise ClientDisconnect
