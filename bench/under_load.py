"""Throughput and latency of the service under load, beside the detector alone on the same cores. See reliability.py."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from imageprocess.detector import Detector
from imageprocess.model.registry import DEFAULT_MODEL
from imageprocess.types import Source
from testkit.loading import Answer, form, load
from testkit.photos import photo
from testkit.serving import child_pids, free_port, started

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = 64
PICTURES = 8
SIZE = (1152, 864)  # 1 megapixel
ROUNDS = 10
ALONE_S = 10
BUSY_SHARE, BUSY_S = 0.8, 15


def photos() -> list[bytes]:
    return [photo(seed, SIZE) for seed in range(PICTURES)]


@contextmanager
def service(**settings: str) -> Iterator[tuple[str, int]]:
    """Yields its address and its process id. It uses the model that ships, whatever else is installed."""
    port = free_port()
    settings = {"model": DEFAULT_MODEL, **settings}
    environment = {f"IMAGEPROCESS_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "imageprocess", "serve"]
    with started(command, PORT=str(port), IMAGEPROCESS_LOG_FORMAT="json", **environment) as (
        process,
        log_lines,
    ):
        address = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{address}/readyz").status_code == 200, log_lines
        yield address, process.pid


def measure_load(seconds: float) -> dict[str, Any]:
    """Per round: the service at full load, the detector alone, the service at 80 % of its full throughput. Other load
    on the machine affects all parts of a round alike, so medians over the rounds are reported."""
    pictures = photos()
    requests, is_right = [form(data) for data in pictures], judge(pictures)
    starts = [_start_to_ready() for _ in range(5)]
    full, alone, busy, pss = [], [], [], {}
    with service() as (address, pid), in_process(pictures) as detect_alone:
        for number in range(ROUNDS):
            full.append(
                asyncio.run(load(address, requests, is_right, clients=CLIENTS, seconds=seconds / ROUNDS))
            )
            pss[round((number + 1) * seconds / ROUNDS)] = sum(_sizes(pid).values())
            alone.append(detect_alone())
            rate = BUSY_SHARE * full[-1].per_second
            busy.append(
                asyncio.run(
                    load(address, requests, is_right, clients=CLIENTS, seconds=BUSY_S, per_second=rate)
                )
            )
        largest = max(_sizes(pid).values())
    shares = [each.per_second / base for each, base in zip(full, alone, strict=True)]
    spread = [each.quantile_s(0.99) / each.quantile_s(0.5) for each in busy]
    minute, last = pss[round(2 * seconds / ROUNDS)], pss[round(seconds)]  # of five minutes
    return {
        "seconds": seconds,
        "clients": CLIENTS,
        "rounds": ROUNDS,
        "answers": sum(len(each.latencies_s) for each in full + busy),
        "lost": sum(len(each.lost) for each in full + busy),
        "wrong": sum(len(each.wrong) for each in full + busy),
        "per_second": _rounded([each.per_second for each in full]),
        "in_process_per_second": _rounded(alone),
        "share_of_in_process": round(statistics.median(shares), 3),
        "shares": _rounded(shares),
        "at_80_percent_ms": {
            "p50": round(1000 * statistics.median(each.quantile_s(0.5) for each in busy), 1),
            "p99": round(1000 * statistics.median(each.quantile_s(0.99) for each in busy), 1),
        },
        "p99_over_p50": round(statistics.median(spread), 2),
        "spreads": _rounded(spread),
        "pss_mb": {f"{at} s": round(size / 1e6, 1) for at, size in pss.items()},
        "pss_growth": round(last / minute - 1, 4),
        "largest_process_mb": round(largest / 1e6, 1),
        "start_to_ready_s": round(statistics.median(starts), 2),
    }


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 2) for value in values]


def judge(pictures: list[bytes]) -> Callable[[int, Answer], bool]:
    """The expected verdict is that of the detector in this process."""
    detector = Detector(DEFAULT_MODEL, threads=1)
    expected = [detector.detect(Source("a", data)) for data in pictures]

    def is_right(which: int, answer: Answer) -> bool:
        if answer[0] != 200:
            return False
        record, expected_record = answer[1]["results"][0], expected[which]
        assert expected_record.verdict is not None and expected_record.verdict.probability_ai is not None
        return (
            record["sha256"] == expected_record.sha256
            and record["verdict"]["label"] == expected_record.verdict.label
            and abs(record["verdict"]["probability_ai"] - expected_record.verdict.probability_ai) < 1e-5
        )

    return is_right


_LOOP = """
import sys, time
from imageprocess.detector import Detector
from imageprocess.types import Source
pictures = [Source("a", open(path, "rb").read()) for path in sys.argv[3:]]
detector = Detector(sys.argv[1], threads=1)
detector.detect(pictures[0])
for line in sys.stdin:
    count, until = 0, time.perf_counter() + float(sys.argv[2])
    while time.perf_counter() < until:
        detector.detect(pictures[count % len(pictures)])
        count += 1
    print(count, flush=True)
"""


@contextmanager
def in_process(pictures: list[bytes]) -> Iterator[Callable[[], float]]:
    """Yields a function that measures images per second of `detect` alone, one process per core: the upper bound."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / str(number) for number in range(len(pictures))]
        for path, data in zip(paths, pictures, strict=True):
            path.write_bytes(data)
        command = [sys.executable, "-c", _LOOP, DEFAULT_MODEL, str(ALONE_S), *map(str, paths)]
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
            for _ in range(len(os.sched_getaffinity(0)))
        ]

        def measure() -> float:
            for process in processes:
                assert process.stdin is not None
                process.stdin.write("go\n")
            counts = [int(process.stdout.readline()) for process in processes if process.stdout]
            return sum(counts) / ALONE_S

        yield measure
        for process in processes:
            process.communicate()


def _start_to_ready() -> float:
    """Seconds from the command to a successful /readyz."""
    began = time.perf_counter()
    with service():
        return time.perf_counter() - began


def _sizes(pid: int) -> dict[int, int]:
    """Proportional set size in bytes of the process and of its workers."""
    sizes = {}
    for each in (pid, *child_pids(pid)):
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                sizes[each] = 1024 * int(line.split()[1])
    return sizes
