"""Receives the body of a job, and stores its images in one unnamed temporary file until they are analysed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException

from ...detector import error_result
from ...errors import TooLargeError
from ...sources.archive import HEAD_BYTES, is_archive
from ...types import Result, Source
from ..body import Form, capped, discard, media_type, name_of
from ..problems import ProblemError
from ..settings import Settings
from .archives import count_pictures, read_pictures
from .spool import Spool

ARCHIVE_TYPES = (
    "application/x-tar", "application/zip", "application/gzip", "application/x-gzip", "application/octet-stream",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """The position of a file of the form in the spool, in bytes."""

    name: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Upload:
    """The images of a job. `parts` is None if the whole spool is one archive."""

    spool: Spool
    parts: list[Part] | None
    total: int  # pictures
    max_bytes: int  # of one picture

    async def pictures(self) -> AsyncGenerator[Source | Result, None]:
        """The images in order; a Result stands for one that is too large. Raises archives.DamageError."""
        if self.parts is None:
            async with aclosing(read_pictures(self.spool, max_bytes=self.max_bytes)) as members:
                async for member in members:
                    yield member
            return
        for part in self.parts:
            if part.size > self.max_bytes:
                message = f"{part.name}: {part.size:,} bytes; the limit is {self.max_bytes:,}"
                yield error_result(part.name, TooLargeError(message))
            else:
                yield Source(part.name, await self.spool.read(part.start, part.size))


async def receive(request: Request) -> Upload:
    """Read a body that is multipart/form-data with parts named `file`, or an archive. A single file that is an archive
    is unpacked. Raises ProblemError."""
    settings: Settings = request.app.state.settings
    content_type = media_type(request)
    if content_type != "multipart/form-data" and content_type not in ARCHIVE_TYPES:
        await discard(request)
        kinds = "multipart/form-data or an archive (application/x-tar, application/zip, application/gzip)"
        raise ProblemError(
            "unsupported_media_type", f"the body must be {kinds}, not {content_type or 'untyped'}"
        )
    spool = _new_spool(settings)
    try:
        return await _fill(request, settings, spool, is_form=content_type == "multipart/form-data")
    except OSError as error:
        spool.close()
        raise _storage_problem(error) from error
    except BaseException:
        spool.close()
        raise


async def _fill(request: Request, settings: Settings, spool: Spool, *, is_form: bool) -> Upload:
    limits: dict[str, Any] = {
        "max_bytes": settings.max_body_bytes,
        "max_files": settings.batch_max_files,
        "max_total": settings.batch_max_bytes,
    }
    if is_form:
        parts = await _read_form(request, settings, spool)
        if len(parts) > 1 or not is_archive(await spool.read(parts[0].start, HEAD_BYTES)):
            return Upload(spool, parts, len(parts), settings.max_body_bytes)
        spool = await _extract_part(spool, parts[0], settings)
    else:
        async for chunk in capped(request, settings.batch_max_bytes):
            await spool.append(chunk)
    return Upload(spool, None, await count_pictures(spool, **limits), settings.max_body_bytes)


async def _extract_part(spool: Spool, part: Part, settings: Settings) -> Spool:
    """A spool that contains only the part, because an archive must fill its spool."""
    if (part.start, part.size) == (0, spool.size):
        return spool
    extracted = _new_spool(settings)
    for start in range(part.start, part.start + part.size, 1 << 20):
        await extracted.append(await spool.read(start, min(1 << 20, part.start + part.size - start)))
    spool.close()
    return extracted


def _new_spool(settings: Settings) -> Spool:
    try:
        return Spool(settings.batch_folder)
    except OSError as error:
        raise _storage_problem(error) from error


def _storage_problem(error: OSError) -> ProblemError:
    detail = f"the job cannot be stored ({error.strerror or error})"
    return ProblemError("no_room", detail, {"Retry-After": "60"})


class _SpooledFile(UploadFile):
    """A file of the form that is being appended to the spool. Files arrive one after another."""

    def __init__(self, spool: Spool, filename: str | None, headers: Headers) -> None:
        self._spool = spool
        self.part: Part | None = None
        super().__init__(spool, filename=filename, headers=headers)  # type: ignore[arg-type]  # only `write` uses it

    async def write(self, data: bytes) -> None:
        start = self.part.start if self.part else self._spool.size
        await self._spool.append(data)
        self.part = Part(name_of(self), start, self._spool.size - start)

    async def seek(self, offset: int) -> None:
        """Starlette calls this when the part is complete."""
        self.part = self.part or Part(name_of(self), self._spool.size, 0)


class _SpooledForm(Form):
    spool: Spool

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        part = self._current_part
        if part.file is not None:
            part.file.file.close()  # Starlette's own file, still empty
            part.file = _SpooledFile(self.spool, part.file.filename, part.file.headers)


async def _read_form(request: Request, settings: Settings, spool: Spool) -> list[Part]:
    parser = _SpooledForm(
        request.headers,
        capped(request, settings.batch_max_bytes),
        max_files=settings.batch_max_files,
        max_fields=settings.max_files,
    )
    parser.spool = spool
    try:
        form = await parser.parse()
    except MultiPartException as error:
        await discard(request)
        raise ProblemError("malformed", error.message) from error
    parts = [
        file.part for file in form.getlist("file") if isinstance(file, _SpooledFile) and file.part is not None
    ]
    if not parts:
        raise ProblemError("malformed", "the form has no part named 'file' that contains a file")
    return parts
