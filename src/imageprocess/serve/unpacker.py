"""The process that unpacks one archive for a batch job, under resource limits, because archives can be hostile.

jobs/archives.py starts it with the archive as its standard input, and reads members from its standard output: two
lengths, a JSON header and bytes, as in worker.py. It writes no file.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from typing import BinaryIO

from ..sources.archive import DAMAGE, read_archive
from .worker import LENGTHS, MAX_NAME, allow_cpu, confine

MEMORY_BYTES = 400_000_000  # beyond its use when idle, for the largest image and its copy
CPU_S = 120.0


def main() -> None:
    for stop in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # sent to the whole group; the service decides when work ends
        signal.signal(stop, signal.SIG_IGN)
    os.closerange(3, 65_536)
    max_bytes, with_data = json.loads(sys.argv[1])
    confine(MEMORY_BYTES + 3 * max_bytes)
    allow_cpu(CPU_S)
    out = sys.stdout.buffer
    sys.stdin.buffer.seek(0)
    try:
        for member in read_archive(sys.stdin.buffer, max_bytes=max_bytes):
            header = {
                "name": member.name[:MAX_NAME],
                "size": member.size,
                "is_too_large": member.data is None,
            }
            _send(out, header, (member.data or b"") if with_data else b"")
        _send(out, {"end": True})
    except DAMAGE as error:
        _send(out, {"damage": str(error) or type(error).__name__})
    except MemoryError:
        _send(out, {"damage": "unpacking it exceeded the memory limit"})


def _send(out: BinaryIO, header: dict[str, object], data: bytes = b"") -> None:
    encoded = json.dumps(header).encode()
    out.write(LENGTHS.pack(len(encoded), len(data)) + encoded)
    out.write(data)
    out.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the reader has closed the pipe
        main()
    os._exit(0)
