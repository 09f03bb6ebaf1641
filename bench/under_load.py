"""What the service does under load, beside what the detector does alone on the same cores. See reliability.py."""

# ruff: noqa: E402
from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from imageprocess.decode import decode
from imageprocess.detector import Detector
from imageprocess.serve.settings import Settings
from imageprocess.types import Source
from loading import Answer, form, load
from photos import photo
from serving import free_port, started

CLIENTS = 64
PICTURES = 8
SIZE = (1152, 864)  # 1 megapixel
BASELINE_S = 20
BUSY_SHARE, BUSY_S = 0.8, 60


def photos() -> list[bytes]:
    return [photo(seed, SIZE) for seed in range(PICTURES)]


@contextmanager
def service(**settings: str) -> Iterator[tuple[str, int]]:
    """-> its address and its process."""
    port = free_port()
    environment = {f"IMAGEPROCESS_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "imageprocess", "serve"]
    with started(command, PORT=str(port), IMAGEPROCESS_LOG_FORMAT="json", **environment) as (process, said):
        address = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{address}/readyz").status_code == 200, said
        yield address, process.pid


def measure_load(seconds: float) -> dict[str, Any]:
    pictures = photos()
    is_right = judge(pictures)
    requests = [form(data) for data in pictures]
    starts = [_start_to_ready() for _ in range(5)]
    before = in_process(pictures)
    with service() as (address, pid):
        rss: dict[float, int] = {}
        sampler = threading.Thread(target=_sample, args=(pid, rss, seconds))
        sampler.start()
        full = asyncio.run(load(address, requests, is_right, clients=CLIENTS, seconds=seconds))
        sampler.join()
        largest = max(_sizes(pid).values())
        rate = BUSY_SHARE * full.per_second
        busy = asyncio.run(
            load(address, requests, is_right, clients=CLIENTS, seconds=BUSY_S, per_second=rate)
        )
    after = in_process(pictures)
    base = (before + after) / 2
    early, late = min(rss), max(rss)
    return {
        "seconds": seconds,
        "clients": CLIENTS,
        "answers": len(full.latencies_s) + len(busy.latencies_s),
        "lost": len(full.lost) + len(busy.lost),
        "wrong": len(full.wrong) + len(busy.wrong),
        "per_second": round(full.per_second, 2),
        "in_process_per_second": [round(before, 2), round(after, 2)],
        "share_of_in_process": round(full.per_second / base, 3),
        "at_80_percent_ms": {
            "p50": round(1000 * busy.quantile_s(0.5), 1),
            "p99": round(1000 * busy.quantile_s(0.99), 1),
        },
        "p99_over_p50": round(busy.quantile_s(0.99) / busy.quantile_s(0.5), 2),
        "pss_mb": {
            f"{at:.0f} s": round(size / 1e6, 1) for at, size in ((early, rss[early]), (late, rss[late]))
        },
        "pss_growth": round(rss[late] / rss[early] - 1, 4),
        "largest_process_mb": round(largest / 1e6, 1),
        "start_to_ready_s": round(statistics.median(starts), 2),
    }


def judge(pictures: list[bytes]) -> Callable[[int, Answer], bool]:
    """Right is what the detector says here, in this process."""
    detector = Detector(threads=1)
    expected = [detector.detect(Source("a", data)) for data in pictures]

    def is_right(which: int, answer: Answer) -> bool:
        if answer[0] != 200:
            return False
        record, wanted = answer[1]["results"][0], expected[which]
        assert wanted.verdict is not None and wanted.verdict.probability_ai is not None
        return (
            record["sha256"] == wanted.sha256
            and record["verdict"]["label"] == wanted.verdict.label
            and abs(record["verdict"]["probability_ai"] - wanted.verdict.probability_ai) < 1e-5
        )

    return is_right


_LOOP = """
import sys, time
from imageprocess.decode import decode
from imageprocess.detector import Detector
from imageprocess.types import Source
pictures = [Source("a", open(path, "rb").read()) for path in sys.argv[2:]]
detector, count = Detector(threads=1), 0
detector.detect(pictures[0])
print("ready", flush=True)
sys.stdin.readline()
until = time.perf_counter() + float(sys.argv[1])
while time.perf_counter() < until:
    detector.detect(pictures[count % len(pictures)])
    count += 1
print(count)
"""


def in_process(pictures: list[bytes]) -> float:
    """Pictures a second of `detect` alone, one process a core: what these cores can do at most."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, data in enumerate(pictures):
            path = Path(folder) / str(number)
            path.write_bytes(data)
            paths.append(str(path))
        command = [sys.executable, "-c", _LOOP, str(BASELINE_S), *paths]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        processes = [subprocess.Popen(command, **pipes) for _ in range(Settings().jobs)]
        for process in processes:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return sum(int(process.communicate()[0]) for process in processes) / BASELINE_S


def _start_to_ready() -> float:
    """From the command to /readyz."""
    began = time.perf_counter()
    with service():
        return time.perf_counter() - began


def _sample(pid: int, rss: dict[float, int], seconds: float) -> None:
    """At a fifth of the time (a minute of five) and at its end: all processes together, shared pages counted once."""
    began = time.monotonic()
    for at_s in (0.2 * seconds, 0.98 * seconds):
        time.sleep(at_s - (time.monotonic() - began))
        rss[at_s] = sum(_sizes(pid).values())


def _sizes(pid: int) -> dict[int, int]:
    """Proportional set size in bytes of the process and of its workers."""
    found = {}
    for each in (pid, *children(pid)):
        for told in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            if told.startswith("Pss:"):
                found[each] = 1024 * int(told.split()[1])
    return found


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


# Would several small pictures together be cheaper?


def measure_batching(_: float) -> dict[str, Any]:
    """CPU milliseconds a picture: the network alone, one by one and by eights; all of `detect` on a small picture."""
    detector = Detector(threads=1)
    size = detector.session.spec.input
    small = photo(0, (size.width, size.height))
    pixels = decode(small).pixels
    single = _cpu_ms(lambda: detector.session.run([pixels]))
    by_eights = _cpu_ms(lambda: detector.session.run([pixels] * 8)) / 8
    whole = _cpu_ms(lambda: detector.detect(Source("a", small)))
    return {
        "network_ms": round(single, 2),
        "network_by_eights_ms": round(by_eights, 2),
        "detect_ms": round(whole, 2),
        "gain": round((single - by_eights) / whole, 3),
    }


def _cpu_ms(run: Callable[[], object]) -> float:
    """Median of thirty."""
    taken = []
    for _ in range(33):
        began = time.process_time()
        run()
        taken.append(1000 * (time.process_time() - began))
    return statistics.median(taken[3:])
