"""All batch jobs of this process: limits per client, access, and scheduling.

Jobs use at most half of the workers, so that the others are available for single requests; a single worker is shared.
While the queue of single requests is full, jobs wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Any

from starlette.requests import ClientDisconnect

from ...detector import error_result
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

_MAX_FINISHED = 20  # finished jobs per owner; beyond that, the oldest is deleted
_MAX_PAUSE_S = 5.0


class Jobs:
    def __init__(self, settings: Settings, metrics: Metrics, rates: Rates) -> None:
        self._settings, self._metrics, self._rates = settings, metrics, rates
        self.webhooks = Webhooks(settings, metrics)
        self._jobs: dict[str, Job] = {}  # in the order in which they began
        self._unfinished: Counter[tuple[str, str | None]] = (
            Counter()
        )  # per owner, including those being uploaded
        self._tasks: set[asyncio.Task[None]] = set()
        self._analyser: Analyser | None = None
        self._workers = asyncio.Semaphore(max(1, settings.jobs // 2))  # workers that jobs may use at once
        self._max_pending = max(1, settings.jobs // 2)  # images of one job in memory

    def start(self, analyser: Analyser) -> None:
        self._analyser = analyser

    async def close(self) -> None:
        """Cancel and delete all jobs."""
        for job in list(self._jobs.values()):
            self.forget(job)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextmanager
    def reserve(self, owner: Owner) -> Iterator[None]:
        """Count one more job of `owner` while its body is read. Raises ProblemError above the limits."""
        limit = self._settings.batch_jobs
        if not limit:
            raise ProblemError("jobs_off", "batch jobs are disabled on this service")
        if self._unfinished.total() >= limit or self._unfinished[owner.subject] >= max(1, limit // 2):
            detail = "too many unfinished jobs; wait for one to end, or delete one"
            raise ProblemError("busy", detail, {"Retry-After": "30"})
        self._count(owner, 1)
        try:
            yield
        finally:
            self._count(owner, -1)

    def begin(self, upload: Upload, owner: Owner, mode: Mode, webhook: str | None) -> Job:
        """Create and start a job; to be called inside `reserve`. Raises OSError."""
        folder = self._settings.batch_folder
        rows = {"jsonl": Spool(folder), "csv": Spool(folder)}
        hook = Webhook(webhook) if webhook else None
        job = Job(owner, upload, mode, hook, rows, lifetime_s=self._settings.batch_lifetime_s)  # type: ignore[arg-type]
        self._jobs[job.id] = job
        self._count(owner, 1)
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
        """Cancel the job if it runs, and delete it; its data is freed when no request reads it any more."""
        job.deleted.set()
        self._jobs.pop(job.id, None)

    def _count(self, owner: Owner, change: int) -> None:
        self._unfinished[owner.subject] += change
        if not self._unfinished[owner.subject]:
            del self._unfinished[owner.subject]
        self._metrics.jobs.inc(change)

    async def _run(self, job: Job) -> None:
        try:
            await self._analyse_all(job)
            state = "cancelled" if job.deleted.is_set() else "finished"
        except Exception as error:
            state = "failed"
            log.exception("a job failed", extra={"facts": {"error": type(error).__name__}})
        except asyncio.CancelledError:
            state = "cancelled"
            raise
        finally:
            job.end("failed" if state == "failed" else "finished")
            self._count(job.owner, -1)
            self._metrics.jobs_ended.labels(state).inc()
        self._schedule_expiry(job)
        await self.webhooks.send(job)

    def _schedule_expiry(self, job: Job) -> None:
        asyncio.get_running_loop().call_later(job.lifetime_s, self.forget, job)
        finished = [
            one for one in self._jobs.values() if one.ended and one.owner.subject == job.owner.subject
        ]
        for old in finished[:-_MAX_FINISHED]:
            self.forget(old)

    async def _analyse_all(self, job: Job) -> None:
        """Several images are analysed at once; records are written in upload order."""
        await job.begin()
        pending: deque[asyncio.Task[dict[str, Any]]] = deque()
        try:
            async with aclosing(job.upload.pictures()) as pictures:
                async for picture in pictures:
                    if job.deleted.is_set():
                        return
                    pending.append(asyncio.create_task(self._analyse(job, picture)))
                    if len(pending) >= self._max_pending:
                        await job.add(await pending.popleft())
            while pending:
                await job.add(await pending.popleft())
        except ClientDisconnect:  # the job was cancelled
            return
        except DamageError as error:
            while pending:
                await job.add(await pending.popleft())
            unreadable = CorruptImageError(f"the archive cannot be read from here on: {error}")
            await job.add(to_record(error_result("archive", unreadable)))
        finally:
            if (
                job.deleted.is_set()
            ):  # images in progress are finished: restarting their workers would cost more
                await asyncio.gather(*pending, return_exceptions=True)
            for task in pending:
                task.cancel()

    async def _analyse(self, job: Job, picture: Source | Result) -> dict[str, Any]:
        """Raises ClientDisconnect if the job is cancelled meanwhile."""
        if isinstance(picture, Result):
            return to_record(picture)
        await self._wait_for_rate_limit(job)
        while True:
            try:
                async with self._workers:
                    assert self._analyser is not None
                    return await self._analyser.analyse(picture, job.mode, False, job.is_abandoned)
            except ProblemError as error:
                if not error.is_temporary:
                    raise
            await self._pause(job, 1.0)  # the queue is full, and single requests have priority

    async def _wait_for_rate_limit(self, job: Job) -> None:
        while True:
            allowance = await self._rates.charge_job(job.owner.key, job.owner.host)
            if allowance is None or not allowance.is_exceeded:
                return
            await self._pause(job, allowance.reset_s)

    async def _pause(self, job: Job, seconds: float) -> None:
        """Raises ClientDisconnect if the job is cancelled meanwhile."""
        with suppress(TimeoutError):
            await asyncio.wait_for(job.deleted.wait(), min(max(seconds, 0.1), _MAX_PAUSE_S))
            raise ClientDisconnect
