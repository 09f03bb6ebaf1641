"""A worker process: receives an image, responds with its record, one at a time, under resource limits of the kernel.

pool.py starts it, with `WorkerOptions` on its command line and a socket as its standard input. Hostile bytes are parsed
only here, so they can crash, hang or exhaust only this process. Nothing heavy is imported until it runs, because
pool.py imports this module for its names.

Messages on the socket, in both directions: two lengths, a JSON header, bytes. JSON rather than pickle, because a
compromised worker must not be able to run code in its parent.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import sys
import traceback
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import BufferedRWPair
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import (
    CorruptImageError,
    CrashedError,
    ImageProcessError,
    InputError,
    TooManyPixelsError,
    UsageError,
)
from ..types import Result, Source

if TYPE_CHECKING:
    from ..detector import Detector

LENGTHS = struct.Struct("!II")  # of the header and of the data, in bytes
MAX_NAME = 1000  # characters of an image's name


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """The options of a worker, given when it starts."""

    model: str | None  # name of a model, a model folder, None for the default
    max_bytes: int
    max_pixels: int
    max_frames: int
    timeout_s: float  # of CPU time per image
    memory_bytes: int  # of address space, beyond that of a worker that is ready

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def main() -> None:
    for stop in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group; the pool decides when work ends
        signal.signal(stop, signal.SIG_IGN)
    os.closerange(3, 65_536)  # descriptors inherited from the service must not be reachable for hostile bytes
    options = WorkerOptions(**json.loads(sys.argv[1]))
    channel = socket.socket(fileno=0).makefile("rwb")
    try:
        detector = _prepare(options)
    except Exception as error:  # noqa: BLE001 (stderr of this process is discarded)
        message = str(error) if isinstance(error, ImageProcessError) else traceback.format_exc()
        _send(channel, {"failed": message})
        return
    confine(options.memory_bytes)
    _send(channel, {"ready": True})
    while request := _receive(channel):
        allow_cpu(options.timeout_s)
        response = _respond(detector, *request)
        _send(channel, response)
        if response.get("worn_out"):
            return


def _prepare(options: WorkerOptions) -> Detector:
    """The detector, with all lazy imports done, so that the first image takes no longer than others."""
    from PIL import Image

    from ..decode import Limits
    from ..detector import Detector

    Image.init()
    limits = Limits(options.max_bytes, options.max_pixels, options.max_frames)
    detector = Detector(options.model, limits=limits, threads=1)  # workers run in parallel
    detector.detect(Source("warm-up", _small_jpeg()))
    return detector


def _small_jpeg() -> bytes:
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (64, 64)).save(stream, "JPEG")
    return stream.getvalue()


def confine(memory_bytes: int) -> None:
    """Forbid this process to write files or core dumps, limit its memory, and make it the first to be killed when the
    machine is out of memory."""
    with contextlib.suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    try:
        import resource
    except ImportError:
        return  # Windows: only the pool's deadline applies
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return  # macOS does not enforce RLIMIT_AS
    limit = pages * resource.getpagesize() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def allow_cpu(seconds: float) -> None:
    """Limit the CPU time from now on. SIGXCPU then ends this process, also if its parent has ended."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 2  # the pool's deadline should come first
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _respond(detector: Detector, header: dict[str, Any], data: bytes) -> dict[str, Any]:
    """{"record"}, with "page" if a report is requested, or {"problem": [code, detail]} if the request is invalid."""
    from ..detector import error_result
    from ..report.records import to_record

    name = header["name"]
    try:
        source = _read_json(data, detector.limits.max_bytes) if header["json"] else Source(name, data)
        name = source.name
        result = detector.detect(
            source, mode=header["mode"], heatmap=header["heatmap"], explain=header.get("explain", False)
        )
        report_options = header.get("report")
        page = _report(detector, result, source, **report_options) if report_options else None
    except _MalformedError as error:
        return {"problem": ["malformed", str(error)]}
    except UsageError as error:
        return {"problem": [error.code, str(error)]}
    except InputError as error:
        return {"record": to_record(error_result(name, error))}
    except MemoryError:
        out_of_memory = TooManyPixelsError(f"{name}: not enough memory to analyse it")
        return {"record": to_record(error_result(name, out_of_memory)), "worn_out": True}
    except Exception as error:  # noqa: BLE001 (one image must not end the worker)
        crash = CrashedError(f"{name}: the picture could not be analysed")
        return {"record": to_record(error_result(name, crash)), "crash": _where(error)}
    record = to_record(result)
    if page is not None:
        return {"record": record, "page": page}
    if result.heatmap is not None:
        height, width = result.heatmap.shape
        values = [round(float(value), 3) for value in result.heatmap.flat]
        record["heatmap"] = {"width": width, "height": height, "values": values}
    return {"record": record}


def _report(detector: Detector, result: Result, source: Source, *, with_picture: bool) -> str:
    from ..decode import decode
    from ..report.page import of_result

    data = source.data or b""
    image = decode(data, name=source.name, limits=detector.limits)
    return of_result(result, data, image, made=datetime.now(UTC), with_picture=with_picture)


def _where(error: Exception) -> str:
    """Type and location of an exception, for the log; without its message, which may contain data of the image."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at " + " < ".join(
        f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames)
    )


class _MalformedError(Exception):
    """The body does not have the form that the API requires."""


def _read_json(body: bytes, max_bytes: int) -> Source:
    """The image in a body {"image_base64", "name"?}. Raises _MalformedError, TooLargeError."""
    from ..sources import from_base64

    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _MalformedError("the body is not JSON") from error
    if not isinstance(content, dict):
        raise _MalformedError("the body is not a JSON object")
    text, name = content.get("image_base64"), content.get("name", "image")
    if not isinstance(text, str):
        raise _MalformedError("image_base64: must be a string")
    if not isinstance(name, str) or len(name) > MAX_NAME:
        raise _MalformedError(f"name: must be a string of at most {MAX_NAME} characters")
    name = name.encode("utf-8", "backslashreplace").decode()
    try:
        return from_base64(text, name, max_bytes=max_bytes)
    except CorruptImageError as error:
        raise _MalformedError(str(error)) from error


def _receive(channel: BufferedRWPair) -> tuple[dict[str, Any], bytes] | None:
    """The next request; None if the pool has closed its end of the socket."""
    lengths = channel.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    header_bytes, data_bytes = LENGTHS.unpack(lengths)
    header, data = channel.read(header_bytes), channel.read(data_bytes)
    if len(data) < data_bytes:
        return None
    return json.loads(header), data


def _send(channel: BufferedRWPair, response: dict[str, Any]) -> None:
    header = json.dumps(response, allow_nan=False).encode()
    channel.write(LENGTHS.pack(len(header), 0) + header)
    channel.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the parent is gone
        main()
    os._exit(0)  # nothing needs to be cleaned up, and clean-up could crash on a corrupted heap
