"""A job's body -> its pictures, kept in one file without a name until they are looked at."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException

from ...detector import failed
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
    """Where a file of the form lies in the spool."""

    name: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Upload:
    """`parts` is None where the whole spool is one archive."""

    spool: Spool
    parts: list[Part] | None
    total: int  # pictures
    max_bytes: int  # of one picture

    async def pictures(self) -> AsyncGenerator[Source | Result, None]:
        """In order; a Result is a picture that failed already. Raises archives.DamageError."""
        if self.parts is None:
            async with aclosing(read_pictures(self.spool, max_bytes=self.max_bytes)) as members:
                async for member in members:
                    yield member
            return
        for part in self.parts:
            if part.size > self.max_bytes:
                message = f"{part.name}: {part.size:,} bytes; the limit is {self.max_bytes:,}"
                yield failed(part.name, TooLargeError(message))
            else:
                yield Source(part.name, await self.spool.read(part.start, part.size))


async def receive(request: Request) -> Upload:
    """multipart/form-data with parts named `file`, or an archive as it is. One file that is an archive is unpacked.
    Raises ProblemError."""
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
        raise _no_room(error) from error
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
        spool = await _only(spool, parts[0], settings)
    else:
        async for chunk in capped(request, settings.batch_max_bytes):
            await spool.append(chunk)
    return Upload(spool, None, await count_pictures(spool, **limits), settings.max_body_bytes)


async def _only(spool: Spool, part: Part, settings: Settings) -> Spool:
    """The part alone in its spool, as an archive must lie: what a form has beside it is cut off."""
    if (part.start, part.size) == (0, spool.size):
        return spool
    alone = _new_spool(settings)
    for at in range(part.start, part.start + part.size, 1 << 20):
        await alone.append(await spool.read(at, min(1 << 20, part.start + part.size - at)))
    spool.close()
    return alone


def _new_spool(settings: Settings) -> Spool:
    try:
        return Spool(settings.batch_folder)
    except OSError as error:
        raise _no_room(error) from error


def _no_room(error: OSError) -> ProblemError:
    detail = f"the job cannot be stored ({error.strerror or error})"
    return ProblemError("no_room", detail, {"Retry-After": "60"})


class _Stored(UploadFile):
    """A part of the form that is being appended to the spool. Parts come one after another."""

    def __init__(self, spool: Spool, filename: str | None, headers: Headers) -> None:
        self._spool = spool
        self.part: Part | None = None
        super().__init__(spool, filename=filename, headers=headers)  # type: ignore[arg-type]  # only `write` uses it

    async def write(self, data: bytes) -> None:
        start = self.part.start if self.part else self._spool.size
        await self._spool.append(data)
        self.part = Part(name_of(self), start, self._spool.size - start)

    async def seek(self, offset: int) -> None:
        """Called when the part is whole."""
        self.part = self.part or Part(name_of(self), self._spool.size, 0)


class _SpooledForm(Form):
    spool: Spool

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        part = self._current_part
        if part.file is not None:
            part.file.file.close()  # Starlette's own, with nothing in it
            part.file = _Stored(self.spool, part.file.filename, part.file.headers)


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
        file.part for file in form.getlist("file") if isinstance(file, _Stored) and file.part is not None
    ]
    if not parts:
        raise ProblemError("malformed", "the form has no part named 'file' that contains a file")
    return parts
