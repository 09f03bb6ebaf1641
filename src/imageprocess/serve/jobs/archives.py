"""Reads the images of an archive in a spool. unpacker.py unpacks it in a separate process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from ...detector import error_result
from ...errors import TooLargeError
from ...types import Result, Source
from ..pool import confined_environment
from ..problems import ProblemError
from ..worker import LENGTHS
from .spool import Spool

_MODULE = "imageprocess.serve.unpacker"


class DamageError(Exception):
    """The archive cannot be read to its end."""


async def count_pictures(spool: Spool, *, max_bytes: int, max_files: int, max_total: int) -> int:
    """The number of images in the archive. Raises ProblemError if there are none, too many, or too many bytes in total,
    or if the archive is damaged."""
    count = total = 0
    try:
        async with aclosing(_members(spool, max_bytes, with_data=False)) as members:
            async for header, _ in members:
                count, total = count + 1, total + header["size"] * (not header["is_too_large"])
                if count > max_files:
                    message = f"the archive has more than {max_files:,} pictures; send them in parts"
                    raise ProblemError("too_large", message)
                if total > max_total:
                    message = f"unpacked, the archive has more than {max_total:,} bytes; send it in parts"
                    raise ProblemError("too_large", message)
    except DamageError as error:
        raise ProblemError("corrupt", f"the archive cannot be read: {error}") from error
    if not count:
        raise ProblemError("no_pictures", "the archive contains no images")
    return count


async def read_pictures(spool: Spool, *, max_bytes: int) -> AsyncGenerator[Source | Result, None]:
    """The images of the archive; a Result stands for one that is too large. Raises DamageError."""
    async with aclosing(_members(spool, max_bytes, with_data=True)) as members:
        async for header, data in members:
            name = header["name"]
            if header["is_too_large"]:
                message = f"{name}: {header['size']:,} bytes; the limit is {max_bytes:,}"
                yield error_result(name, TooLargeError(message))
            else:
                yield Source(name, data)


async def _members(
    spool: Spool, max_bytes: int, *, with_data: bool
) -> AsyncGenerator[tuple[dict[str, Any], bytes], None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-W", "ignore", "-m", _MODULE, json.dumps([max_bytes, with_data]),
        stdin=spool.fileno, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env=confined_environment(),
    )  # fmt: skip
    assert process.stdout is not None
    try:
        while True:
            header, data = await _receive(process.stdout)
            if "damage" in header:
                raise DamageError(header["damage"])
            if "end" in header:
                await process.wait()  # it ends by itself
                return
            yield header, data
    except (asyncio.IncompleteReadError, ValueError) as error:
        raise DamageError("unpacking it exceeded the limit of time or memory") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _receive(stream: asyncio.StreamReader) -> tuple[dict[str, Any], bytes]:
    lengths = LENGTHS.unpack(await stream.readexactly(LENGTHS.size))
    header: dict[str, Any] = json.loads(await stream.readexactly(lengths[0]))
    return header, await stream.readexactly(lengths[1])
