"""Bytes in an unnamed temporary file, which is freed when it is closed or unreferenced, or the process ends."""

from __future__ import annotations

import asyncio
import os
import tempfile
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

_CHUNK_BYTES = 262_144


class Spool:
    """Appends and reads bytes. `folder`: None for the system's folder of temporary files. Raises OSError if the file
    cannot be created or the disk is full."""

    def __init__(self, folder: Path | None) -> None:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as temporary:
            self.fileno = os.dup(temporary.fileno())
        self._close = weakref.finalize(self, os.close, self.fileno)
        self.size = 0

    async def append(self, data: bytes) -> None:
        await asyncio.to_thread(self._append, data)

    def _append(self, data: bytes) -> None:
        remaining = memoryview(data)
        while remaining:
            written = os.pwrite(self.fileno, remaining, self.size)
            self.size += written
            remaining = remaining[written:]

    async def read(self, start: int, size: int) -> bytes:
        return await asyncio.to_thread(os.pread, self.fileno, size, start)

    async def stream(self) -> AsyncIterator[bytes]:
        """The content at the time of the call, in chunks."""
        position, end = 0, self.size
        while position < end:
            chunk = await self.read(position, min(_CHUNK_BYTES, end - position))
            if not chunk:
                return
            position += len(chunk)
            yield chunk

    def close(self) -> None:
        self._close()
