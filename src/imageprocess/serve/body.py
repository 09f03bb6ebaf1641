"""Request bodies: read into memory, never to disk (those of jobs excepted: jobs/upload.py), counted while they stream.
Only a form is taken apart here."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import NoReturn

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ..types import Source
from .problems import ProblemError
from .settings import Settings
from .worker import MAX_NAME

# A client that is still sending cannot read the answer, so a refused body is read and thrown away, up to this
# many times the cap; who sends more finds the connection closed.
_DISCARD_FACTOR = 5

# Which of Python's codecs reads a form's names and texts is not left to the client: `punycode` takes 20 s for one
# text of a megabyte, and `undefined` always fails. Forms are in UTF-8 (RFC 7578, 5.1.2); few clients say so.
_CHARSETS = (b"utf-8", b"utf8", b"us-ascii", b"iso-8859-1")


class Form(MultiPartParser):
    """Starlette's, but strict: that one takes whatever charset Python knows, and a form that breaks off for a whole
    one, less the file that it broke off in."""

    _is_whole = False

    def on_end(self) -> None:
        self._is_whole = True

    async def parse(self) -> FormData:
        _, options = parse_options_header(self.headers["Content-Type"])
        if options.get(b"charset", b"utf-8").lower() not in _CHARSETS:
            raise MultiPartException("the form's charset must be UTF-8")
        self.stream = self._whole(self.stream)
        return await super().parse()

    async def _whole(self, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """Raised from within the stream, its error makes Starlette close the files that it has begun."""
        async for chunk in stream:
            yield chunk
        if not self._is_whole:
            raise MultiPartException("the form ends before its closing boundary")


class Held:
    """How many bytes of bodies this process holds, all requests together."""

    def __init__(self, most: int) -> None:
        self._most, self._bytes = most, 0

    def take(self, request: Request, count: int) -> bool:
        """False where it would be too many. gate.py gives back what a request has taken."""
        if self._bytes + count > self._most:
            return False
        self._bytes += count
        request.state.held_bytes += count
        return True

    def give_back(self, request: Request) -> None:
        self._bytes -= request.state.held_bytes
        request.state.held_bytes = 0


async def read_files(request: Request) -> list[Source]:
    """multipart/form-data -> its parts named `file`, in order; a body that is a picture -> that picture."""
    settings: Settings = request.app.state.settings
    content_type = media_type(request)
    if content_type.startswith("image/") or content_type == "application/octet-stream":
        return [Source("image", await _whole(request))]
    await _expect(request, "multipart/form-data", "image/*")
    parser = Form(
        request.headers, _held(request), max_files=settings.max_files, max_fields=settings.max_files
    )
    parser.spool_max_size = settings.max_body_bytes + 1  # its default would write to disk from 1 MB on
    try:
        form = await parser.parse()
    except MultiPartException as error:
        await discard(request)
        raise ProblemError("malformed", error.message) from error
    try:
        files = [part for part in form.getlist("file") if isinstance(part, UploadFile)]
        if not files:
            raise ProblemError("malformed", "the form has no part named 'file' that contains a file")
        return [Source(name_of(file), await file.read()) for file in files]
    finally:
        await form.close()


def name_of(file: UploadFile) -> str:
    """The client's name for the file, cut to what a record has room for."""
    return (file.filename or "file")[:MAX_NAME]


async def read_json(request: Request) -> bytes:
    """application/json -> the body as it is; a worker parses it, because JSON can be a bomb too."""
    await _expect(request, "application/json")
    return await _whole(request)


async def _whole(request: Request) -> bytes:
    body = bytearray()
    async for chunk in _held(request):
        body += chunk
    return bytes(body)


async def discard(request: Request) -> None:
    """Let the client finish sending, so that it gets to read why it was refused."""
    left = _DISCARD_FACTOR * request.app.state.settings.max_body_bytes
    with contextlib.suppress(RuntimeError):  # Starlette's, where all of it was read already
        async for chunk in request.stream():
            left -= len(chunk)
            if left < 0:
                return


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _expect(request: Request, wanted: str, *others: str) -> None:
    content_type = media_type(request)
    if content_type != wanted:
        await discard(request)
        kinds = " or ".join((wanted, *others))
        raise ProblemError(
            "unsupported_media_type", f"the body must be {kinds}, not {content_type or 'untyped'}"
        )


async def _held(request: Request) -> AsyncGenerator[bytes, None]:
    """The body's chunks, counted among those that are in memory."""
    async for chunk in capped(request, request.app.state.settings.max_body_bytes):
        if not request.app.state.held.take(request, len(chunk)):
            await discard(request)
            raise ProblemError(
                "busy", "too many request bodies are being received; retry later", {"Retry-After": "1"}
            )
        yield chunk


async def capped(request: Request, cap: int) -> AsyncGenerator[bytes, None]:
    """The body's chunks; a problem as soon as more than `cap` is declared or has come."""
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
    raise ProblemError("too_large", f"the request has more than {cap:,} bytes")
