"""Atomic writes: a file appears under its name only when it is complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """A stream into a temporary file beside `path`, which replaces `path` at the end, or is removed on an exception.

    With `durable`, the file is synced to disk before the rename and its folder after it. Raises OSError, whose
    `filename` is `path`.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        unfinished.replace(path)
    except OSError as error:
        if error.filename in (None, str(unfinished)):  # ENOSPC does not name the file
            error.filename = str(path)
        raise
    finally:
        unfinished.unlink(missing_ok=True)
    if durable:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # makes the rename durable
    finally:
        os.close(descriptor)
