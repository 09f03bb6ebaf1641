"""Bytes in a temporary file that has no name: gone with the process, and when nobody holds it any more."""

from __future__ import annotations

import asyncio
import os
import tempfile
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

_PIECE_BYTES = 262_144


class Spool:
    """Raises OSError where there is no folder for it, or no room."""

    def __init__(self, folder: Path | None) -> None:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as made:
            self.fileno = os.dup(made.fileno())
        self._close = weakref.finalize(self, os.close, self.fileno)
        self.size = 0

    async def append(self, data: bytes) -> None:
        await asyncio.to_thread(self._append, data)

    def _append(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            written = os.pwrite(self.fileno, left, self.size)
            self.size += written
            left = left[written:]

    async def read(self, start: int, size: int) -> bytes:
        return await asyncio.to_thread(os.pread, self.fileno, size, start)

    async def stream(self) -> AsyncIterator[bytes]:
        """What is in it by now."""
        at, end = 0, self.size
        while at < end:
            piece = await self.read(at, min(_PIECE_BYTES, end - at))
            if not piece:
                return
            at += len(piece)
            yield piece

    def close(self) -> None:
        self._close()
