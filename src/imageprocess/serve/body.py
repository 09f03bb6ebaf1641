"""Request bodies: read into memory, never to disk, counted while they stream."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import NoReturn

from fastapi import Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ..types import Source
from .problems import ProblemError, explain
from .schemas import Base64Picture
from .settings import Settings

# A client that is still sending cannot read the answer, so a refused body is read and thrown away, up to this
# many times the cap; who sends more finds the connection closed.
_DISCARD_FACTOR = 5
_MAX_NAME = 1000  # characters


async def read_files(request: Request) -> list[Source]:
    """multipart/form-data -> its parts named `file`, in order."""
    settings: Settings = request.app.state.settings
    await _expect(request, "multipart/form-data")
    parser = MultiPartParser(
        request.headers, _capped(request), max_files=settings.max_files, max_fields=settings.max_files
    )
    parser.spool_max_size = settings.max_body_bytes + 1  # its default would write to disk from 1 MB on
    try:
        form = await parser.parse()
    except MultiPartException as error:
        await discard(request)
        raise ProblemError(400, "malformed", error.message) from error
    try:
        files = [part for part in form.getlist("file") if isinstance(part, UploadFile)]
        if not files:
            raise ProblemError(400, "malformed", "no part named 'file' with a file in it")
        return [Source(_name(file), await file.read()) for file in files]
    finally:
        await form.close()


def _name(file: UploadFile) -> str:
    """The client's name for the file, cut to what a record has room for, and sure to be text that can be sent."""
    return (file.filename or "file")[:_MAX_NAME].encode("utf-8", "replace").decode()


async def read_base64(request: Request) -> Base64Picture:
    """application/json -> the picture in it, still as text."""
    await _expect(request, "application/json")
    body = bytearray()
    async for chunk in _capped(request):
        body += chunk
    try:
        # Off the event loop: 20 MB of JSON take long enough for others to notice.
        return await run_in_threadpool(Base64Picture.model_validate_json, bytes(body))
    except ValidationError as error:
        detail = explain(error.errors(include_input=False, include_context=False, include_url=False))
        raise ProblemError(400, "malformed", detail) from error


async def discard(request: Request) -> None:
    """Let the client finish sending, so that it gets to read why it was refused."""
    left = _DISCARD_FACTOR * request.app.state.settings.max_body_bytes
    with contextlib.suppress(RuntimeError):  # Starlette's, where all of it was read already
        async for chunk in request.stream():
            left -= len(chunk)
            if left < 0:
                return


async def _expect(request: Request, wanted: str) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != wanted:
        await discard(request)
        raise ProblemError(
            415, "unsupported_media_type", f"the body must be {wanted}, not {given or 'untyped'}"
        )


async def _capped(request: Request) -> AsyncGenerator[bytes, None]:
    """The body's chunks; a problem as soon as more than the cap is declared or has come."""
    cap = request.app.state.settings.max_body_bytes
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > cap:
        await _refuse(request, cap)
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > cap:
            await _refuse(request, cap)
        yield chunk


async def _refuse(request: Request, cap: int) -> NoReturn:
    await discard(request)
    raise ProblemError(413, "too_large", f"the request has more than {cap:,} bytes")
