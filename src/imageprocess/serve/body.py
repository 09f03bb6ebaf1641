"""Reads request bodies into memory, never to disk (except those of jobs, see jobs/upload.py), counting bytes while they
stream. Only multipart forms are parsed here; JSON is parsed by the workers."""

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

# A client that is still sending cannot read the response, so a refused body is read and discarded, up to this many
# times the size limit; beyond that, the connection is closed.
_DISCARD_FACTOR = 5

# The client must not choose Python's codec for names and texts of a form: `punycode` takes 20 s for a text of one
# megabyte, and `undefined` always fails. Forms are in UTF-8 (RFC 7578, 5.1.2), though few clients declare it.
_CHARSETS = (b"utf-8", b"utf8", b"us-ascii", b"iso-8859-1")


class Form(MultiPartParser):
    """A strict version of Starlette's parser, which accepts every charset that Python has, and accepts a truncated form
    without the file that is cut off."""

    _is_complete = False

    def on_end(self) -> None:
        self._is_complete = True

    async def parse(self) -> FormData:
        _, options = parse_options_header(self.headers["Content-Type"])
        if options.get(b"charset", b"utf-8").lower() not in _CHARSETS:
            raise MultiPartException("the form's charset must be UTF-8")
        self.stream = self._checked(self.stream)
        return await super().parse()

    async def _checked(self, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """An exception raised inside the stream makes Starlette close the temporary files that it has opened."""
        async for chunk in stream:
            yield chunk
        if not self._is_complete:
            raise MultiPartException("the form ends before its closing boundary")


class BodyMemory:
    """Limits the bytes of request bodies in memory, over all requests of this process."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0

    def reserve(self, request: Request, count: int) -> bool:
        """False if `count` more bytes exceed the limit. gate.py releases the bytes at the end of the request."""
        if self._bytes + count > self._max_bytes:
            return False
        self._bytes += count
        request.state.body_bytes += count
        return True

    def release(self, request: Request) -> None:
        self._bytes -= request.state.body_bytes
        request.state.body_bytes = 0


async def read_files(request: Request) -> list[Source]:
    """The parts named `file` of a multipart/form-data body, in order; or the image that is the whole body. Raises
    ProblemError."""
    settings: Settings = request.app.state.settings
    content_type = media_type(request)
    if content_type.startswith("image/") or content_type == "application/octet-stream":
        return [Source("image", await _read_all(request))]
    await _expect(request, "multipart/form-data", "image/*")
    parser = Form(
        request.headers, _chunks(request), max_files=settings.max_files, max_fields=settings.max_files
    )
    parser.spool_max_size = settings.max_body_bytes + 1  # the default writes to disk above 1 MB
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
    """The client's name for the file, truncated to the longest name that a worker accepts."""
    return (file.filename or "file")[:MAX_NAME]


async def read_json(request: Request) -> bytes:
    """The unparsed body, which must be application/json; a worker parses it, because JSON can be hostile too."""
    await _expect(request, "application/json")
    return await _read_all(request)


async def _read_all(request: Request) -> bytes:
    body = bytearray()
    async for chunk in _chunks(request):
        body += chunk
    return bytes(body)


async def discard(request: Request) -> None:
    """Read and drop the rest of the body, so that the client finishes sending and reads the response."""
    remaining = _DISCARD_FACTOR * request.app.state.settings.max_body_bytes
    with contextlib.suppress(RuntimeError):  # raised by Starlette if all of it was read already
        async for chunk in request.stream():
            remaining -= len(chunk)
            if remaining < 0:
                return


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _expect(request: Request, expected: str, *alternatives: str) -> None:
    """Raises ProblemError if the body is not `expected`; `alternatives` are named in its message."""
    content_type = media_type(request)
    if content_type != expected:
        await discard(request)
        kinds = " or ".join((expected, *alternatives))
        raise ProblemError(
            "unsupported_media_type", f"the body must be {kinds}, not {content_type or 'untyped'}"
        )


async def _chunks(request: Request) -> AsyncGenerator[bytes, None]:
    """The chunks of the body, counted in `BodyMemory`."""
    async for chunk in capped(request, request.app.state.settings.max_body_bytes):
        if not request.app.state.body_memory.reserve(request, len(chunk)):
            await discard(request)
            raise ProblemError(
                "busy", "too many request bodies are being received; retry later", {"Retry-After": "1"}
            )
        yield chunk


async def capped(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """The chunks of the body. Raises ProblemError as soon as more than `max_bytes` are declared or received."""
    content_length = request.headers.get("content-length", "")
    if content_length.isdecimal() and int(content_length) > max_bytes:
        await _refuse(request, max_bytes)
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > max_bytes:
            await _refuse(request, max_bytes)
        yield chunk


async def _refuse(request: Request, max_bytes: int) -> NoReturn:
    await discard(request)
    raise ProblemError("too_large", f"the request has more than {max_bytes:,} bytes; send less at once")
