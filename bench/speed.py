"""Speed of decoding alone, of the detector and of the original implementation, side by side.

    python -m bench.speed [PART...]

The implementations alternate on the same images in one run, so that other load affects all alike; reported are medians
of paired ratios. Measured in this process on one core (CPU time), on the command line over a folder, and over HTTP. The
part `install_mb` installs from the package index. Writes bench/results/speed.json and the tables in
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench import baseline, growth, table
from bench.pictures import FORMATS, SIZES, draw, encode
from imageprocess.decode import decode
from imageprocess.detector import Detector
from imageprocess.model.registry import DEFAULT_MODEL
from imageprocess.types import Source
from testkit.waiting import wait_until

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results" / "speed.json"
MODELS = list(dict.fromkeys(["cnn", DEFAULT_MODEL]))
ROUNDS = {"0.3 MP": 15, "1 MP": 15, "12 MP": 5}
FOLDER_PICTURES, FOLDER_ROUNDS = 150, 3
REQUESTS = 50
START_UPS = 5
Facts = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", help=f"parts to measure: {', '.join(PARTS)} (default: all except install_mb)"
    )
    parts = parser.parse_args().parts or [part for part in PARTS if part != "install_mb"]
    facts = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = _folder(Path(scratch))
        for part in parts:
            facts |= {"machine": machine(), "default_model": DEFAULT_MODEL, part: PARTS[part](folder)}
            RESULTS.parent.mkdir(parents=True, exist_ok=True)
            RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
            print(part, time.strftime("%H:%M:%S"), flush=True)
    table.write(ROOT / "docs" / "benchmarks.md", facts)


def machine() -> Facts:
    return {"cpus": os.cpu_count(), "processor": _processor(), "python": platform.python_version()}


def _folder(scratch: Path) -> Path:
    """Distinct 1-megapixel JPEGs."""
    folder = scratch / "pictures"
    folder.mkdir()
    drawn = [encode(draw(SIZES["1 MP"], seed)) for seed in range(8)]
    for number in range(FOLDER_PICTURES):
        data = drawn[number % len(drawn)]
        (folder / f"{number:04}.jpg").write_bytes(data[:-2] + number.to_bytes(2, "big") + data[-2:])
    return folder


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


# One image at a time, in this process, one thread; CPU time, so that other load does not count


def _in_process(size: str, form: str) -> Facts:
    data = encode(draw(SIZES[size]), form)
    original = baseline.scorer(threads=1)
    body = base64.b64encode(data).decode()
    ways: dict[str, Callable[[], object]] = {
        "decode": lambda: decode(data),
        "original": lambda: original(body),
    }
    for model in MODELS:
        ways[model] = _detect(Detector(model, threads=1), data)
    times = _alternate(ways, ROUNDS[size], time.process_time)
    figures: Facts = {"size": size, "format": form, "bytes": len(data)}
    figures |= {f"{way}_ms": _spread(taken) for way, taken in times.items()}
    for model in MODELS:
        figures[f"{model}_over_decode"] = _ratio(times[model], times["decode"])
        figures[f"original_over_{model}"] = _ratio(times["original"], times[model])
        figures[f"{model}_a_second"] = round(1 / statistics.median(times[model]), 1)
    return figures


def _detect(detector: Detector, data: bytes) -> Callable[[], object]:
    return lambda: detector.detect(Source("picture", data))


def _alternate(
    ways: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each implementation by `clock`, per round, after two warm-up rounds."""
    times: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds + 2):
        for way, run in ways.items():
            began = clock()
            run()
            if number >= 2:
                times[way].append(clock() - began)
    return times


def _ratio(above: list[float], below: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(above, below, strict=True)), 2)


def _spread(taken: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    return {"p50": round(1000 * cuts[49], 2), "p99": round(1000 * cuts[98], 2)}


# A folder, through the command line, on every core


def _command_line(folder: Path) -> Facts:
    out = folder.with_name("out.jsonl")
    own_command = [sys.executable, "-m", "imageprocess"]
    with _server([sys.executable, "-m", "bench.baseline", "serve"]) as (port, server):
        commands = {"original": [sys.executable, "-m", "bench.baseline", "send", str(port), str(folder)]}
        for model in MODELS:
            detect = [
                *own_command, "detect", str(folder), "--model", model, "--format", "jsonl", "-o", str(out)
            ]  # fmt: skip
            commands[f"detect {model}"] = detect
            batch = [
                *own_command,
                "batch",
                str(folder),
                "--model",
                model,
                "--out",
                str(out),
                "--overwrite",
                "--no-reuse",
            ]
            commands[f"batch {model}"] = batch
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(FOLDER_ROUNDS):
            for name, command in commands.items():
                began = time.perf_counter()
                _run(command)
                times[name].append(time.perf_counter() - began)
                out.unlink(missing_ok=True)
        peaks = {}
        for name, command in commands.items():  # a separate run: sampling the memory takes time
            peaks[name] = growth.run(command)[2]
            out.unlink(missing_ok=True)
        # The original's model runs in the server, not in the client.
        peaks["original"] += sum(map(growth.memory_mb, growth.tree(server)))
    figures: Facts = {"pictures": FOLDER_PICTURES, "rounds": FOLDER_ROUNDS}
    for name, taken in times.items():
        figures[name] = {
            "a_second": round(FOLDER_PICTURES / statistics.median(taken), 1),
            "original_over_it": _ratio(times["original"], taken),
            "peak_mb": round(peaks[name]),
        }
    return figures


def _run(command: list[str]) -> None:
    """Raises CalledProcessError on failure."""
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


# HTTP: the original's call, sequential requests


def _http(data: bytes) -> Facts:
    body = {"image_base64": base64.b64encode(data).decode()}
    own_command = [sys.executable, "-m", "imageprocess", "serve", "--port"]
    with (
        _server([sys.executable, "-m", "bench.baseline", "serve"]) as (original, _),
        _server(own_command) as (port, _),
        httpx.Client(timeout=60) as client,
    ):

        def ask(of: int) -> Callable[[], object]:
            return lambda: client.post(f"http://127.0.0.1:{of}/predict", json=body).raise_for_status()

        times = _alternate({"original": ask(original), "ours": ask(port)}, REQUESTS)
    return {
        "requests": REQUESTS,
        "original_ms": _spread(times["original"]),
        "ours_ms": _spread(times["ours"]),
        "original_over_ours": _ratio(times["original"], times["ours"]),
    }


@contextmanager
def _server(command: list[str]) -> Iterator[tuple[int, int]]:
    """Run `command PORT` with the model that ships; yields the port and the process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*command, str(port)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "IMAGEPROCESS_MODEL": DEFAULT_MODEL},
    )  # fmt: skip
    try:
        _wait(f"http://127.0.0.1:{port}/health", process)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"the service ended with exit status {process.returncode}")
        try:
            return httpx.get(address, timeout=5).is_success
        except httpx.HTTPError:
            return False

    wait_until(answers, timeout_s=120, interval_s=0.2)


# Start-up time and installed size


def _start_up(*arguments: str) -> float:
    """Median seconds of a run of the command."""
    seconds = []
    for _ in range(START_UPS):
        began = time.perf_counter()
        _run([sys.executable, "-m", "imageprocess", *arguments])
        seconds.append(time.perf_counter() - began)
    return round(statistics.median(seconds), 3)


def _install_mb() -> float:
    """MB that `pip install .` without extras adds to a fresh environment, models included."""
    with tempfile.TemporaryDirectory() as scratch:
        venv.create(scratch, with_pip=True)
        python = Path(scratch) / "bin" / "python"
        site = next(Path(scratch).glob("lib/python*/site-packages"))
        before = _size(site)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "-c", "constraints.txt", "."], cwd=ROOT, check=True
        )
        return round((_size(site) - before) / 1e6, 1)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


PARTS: dict[str, Callable[[Path], Any]] = {
    "in_process": lambda folder: [_in_process(size, form) for size in SIZES for form in FORMATS],
    "command_line": _command_line,
    "http": lambda folder: _http((folder / "0000.jpg").read_bytes()),
    "start_up": lambda folder: {
        "help_s": _start_up("--help"),
        "first_verdict_s": _start_up("detect", str(folder / "0000.jpg"), "--model", DEFAULT_MODEL),
    },
    "install_mb": lambda folder: _install_mb(),
}


if __name__ == "__main__":
    main()
