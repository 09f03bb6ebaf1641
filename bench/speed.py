"""How long one picture takes: decoding alone, our detector, and the way the original did it, side by side.

    python -m bench.speed

The three alternate on the same pictures in one run, so that a busy machine slows all alike; what is reported are
medians of paired ratios. Writes bench/results/speed.json and the table in the README.
"""

from __future__ import annotations

import base64
import io
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from imageprocess.decode import decode
from imageprocess.detector import Detector
from imageprocess.types import Source

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results" / "speed.json"
MARKERS = ("<!-- speed:begin -->", "<!-- speed:end -->")
SIZES = {"0.3 MP": (640, 480), "1 MP": (1152, 864), "12 MP": (4000, 3000)}
ROUNDS = 15


def main() -> None:
    rows = [_measure(name, size) for name, size in SIZES.items()]
    facts = {
        "machine": platform.processor() or platform.machine(),
        "onnxruntime": onnxruntime.__version__,
        "rounds": ROUNDS,
        "pictures": rows,
        "help_s": _start_up("--help"),
        "first_verdict_s": _start_up("detect", "-"),
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    _write_table(rows)


def _measure(name: str, size: tuple[int, int]) -> dict[str, float | str]:
    data = _jpeg(size)
    detector = Detector(threads=1)
    original = _original()
    ways: dict[str, Callable[[], object]] = {
        "decode": lambda: decode(data),
        "detect": lambda: detector.detect(Source("picture.jpg", data)),
        "original": lambda: original(base64.b64encode(data)),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for round_number in range(ROUNDS + 2):
        for way, run in ways.items():
            began = time.perf_counter()
            run()
            if round_number >= 2:  # the first two warm caches
                times[way].append(time.perf_counter() - began)
    return {
        "picture": name,
        **{f"{way}_ms": round(1000 * statistics.median(found), 2) for way, found in times.items()},
        "detect_over_decode": _ratio(times["detect"], times["decode"]),
        "original_over_detect": _ratio(times["original"], times["detect"]),
    }


def _ratio(above: list[float], below: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(above, below, strict=True)), 2)


def _original() -> Callable[[bytes], object]:
    """The original's way: base64 in, PIL, PyTorch eager, one picture at a time."""
    import torch

    from imageprocess.train.nets import CNN

    torch.set_num_threads(1)
    network = CNN().eval()

    def run(body: bytes) -> object:
        image = Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB").resize((224, 224))
        pixels = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1)[None]
        with torch.no_grad():
            return torch.softmax(network(pixels), 1)

    return run


def _jpeg(size: tuple[int, int]) -> bytes:
    """A picture with the detail of a photograph: noise at every scale, summed."""
    rng = np.random.default_rng(0)
    total = np.zeros((size[1], size[0], 3), dtype=np.float32)
    for scale in (4, 16, 64, 256):
        small = rng.integers(0, 256, (size[1] // scale + 2, size[0] // scale + 2, 3), dtype=np.uint8)
        total += np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    stream = io.BytesIO()
    Image.fromarray((total / 4).astype(np.uint8)).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _start_up(*arguments: str) -> float:
    """Seconds from the command to its end, median of five."""
    picture = _jpeg((640, 480))
    found = []
    for _ in range(5):
        began = time.perf_counter()
        command = [sys.executable, "-m", "imageprocess", *arguments]
        subprocess.run(command, input=picture, capture_output=True, check=True)
        found.append(time.perf_counter() - began)
    return round(statistics.median(found), 3)


def _write_table(rows: list[dict[str, float | str]]) -> None:
    readme = ROOT / "README.md"
    before, rest = readme.read_text("utf-8").split(MARKERS[0])
    after = rest.split(MARKERS[1])[1]
    lines = [
        "| JPEG of | decode alone | detect, decoding included | ratio | the original's way / ours |",
        "|---|---|---|---|---|",
        *(
            f"| {row['picture']} | {row['decode_ms']} ms | {row['detect_ms']} ms | {row['detect_over_decode']} "
            f"| {row['original_over_detect']} |"
            for row in rows
        ),
    ]
    readme.write_text(before + "\n".join([MARKERS[0], *lines, MARKERS[1]]) + after, encoding="utf-8")


if __name__ == "__main__":
    main()
