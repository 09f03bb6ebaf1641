"""One worker process: takes a picture, answers with its record, one at a time, under the kernel's limits.

pool.py starts it, with the `Order` on its command line and a socket as its standard input. Hostile bytes are parsed
here and nowhere else, so what they can crash, hang or blow up is this process. Imports nothing heavy until it runs:
pool.py reads the names here.

On the socket, both ways: two lengths, a JSON header, bytes. JSON, because whoever took this process over must not be
able to send its parent anything but data.
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
MAX_NAME = 1000  # characters of a picture's name


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is told once, when it starts."""

    model: str | None  # a shipped model's name, a model folder, None for the default
    max_bytes: int
    max_pixels: int
    max_frames: int
    timeout_s: float  # of CPU time, one picture
    memory_bytes: int  # of address space, beyond what it holds when it is ready

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def main() -> None:
    for stop in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group; the pool decides when work ends
        signal.signal(stop, signal.SIG_IGN)
    os.closerange(3, 65_536)  # what the service itself was started with is not for hostile bytes
    order = Order(**json.loads(sys.argv[1]))
    channel = socket.socket(fileno=0).makefile("rwb")
    try:
        detector = _prepare(order)
    except Exception as error:  # noqa: BLE001 (nobody reads this process's stderr)
        message = str(error) if isinstance(error, ImageProcessError) else traceback.format_exc()
        _send(channel, {"failed": message})
        return
    confine(order.memory_bytes)
    _send(channel, {"ready": True})
    while request := _receive(channel):
        allow_cpu(order.timeout_s)
        answer = _answer(detector, *request)
        _send(channel, answer)
        if answer.get("worn_out"):
            return


def _prepare(order: Order) -> Detector:
    """The detector, all that it loads late already loaded: the first picture is as quick as the next."""
    from PIL import Image

    from ..decode import Limits
    from ..detector import Detector

    Image.init()
    limits = Limits(order.max_bytes, order.max_pixels, order.max_frames)
    detector = Detector(order.model, limits=limits, threads=1)  # pictures are looked at side by side
    detector.detect(Source("warm-up", _small_jpeg()))
    return detector


def _small_jpeg() -> bytes:
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (64, 64)).save(stream, "JPEG")
    return stream.getvalue()


def confine(memory_bytes: int) -> None:
    """No file written, no core dump, so much memory and no more; the first to go where the machine runs out."""
    with contextlib.suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    try:
        import resource
    except ImportError:
        return  # Windows: the pool's deadline is all there is
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return  # macOS does not keep to RLIMIT_AS anyway
    most = pages * resource.getpagesize() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def allow_cpu(seconds: float) -> None:
    """From now on; then SIGXCPU ends this process, also where its parent is no more."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 2  # the pool's own deadline is to come first
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _answer(detector: Detector, header: dict[str, Any], data: bytes) -> dict[str, Any]:
    """-> {"record"}, with "page" where a report is asked for, or, where the request itself is at fault,
    {"problem": [code, detail]}."""
    from ..detector import failed
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
        return {"record": to_record(failed(name, error))}
    except MemoryError:
        short = TooManyPixelsError(f"{name}: not enough memory to analyse it")
        return {"record": to_record(failed(name, short)), "worn_out": True}
    except Exception as error:  # noqa: BLE001 (one picture must not take the worker with it)
        crash = CrashedError(f"{name}: the picture could not be analysed")
        return {"record": to_record(failed(name, crash)), "crash": _where(error)}
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
    """For the log: what was raised and where, without its words, which may hold the picture's."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at " + " < ".join(
        f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames)
    )


class _MalformedError(Exception):
    """The body is not what the API asks for."""


def _read_json(body: bytes, max_bytes: int) -> Source:
    """{"image_base64", "name"?} -> the picture. Raises _MalformedError, TooLargeError."""
    from ..sources import from_base64

    try:
        posted = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _MalformedError("the body is not JSON") from error
    if not isinstance(posted, dict):
        raise _MalformedError("the body is not a JSON object")
    text, name = posted.get("image_base64"), posted.get("name", "image")
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
    """The next thing asked; None where the pool has closed its end."""
    lengths = channel.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    header_bytes, data_bytes = LENGTHS.unpack(lengths)
    header, data = channel.read(header_bytes), channel.read(data_bytes)
    if len(data) < data_bytes:
        return None
    return json.loads(header), data


def _send(channel: BufferedRWPair, answer: dict[str, Any]) -> None:
    header = json.dumps(answer, allow_nan=False).encode()
    channel.write(LENGTHS.pack(len(header), 0) + header)
    channel.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the parent is gone
        main()
    os._exit(0)  # nothing here needs cleaning up, and a damaged heap must not be walked
