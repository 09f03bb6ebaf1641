"""Cost of reading provenance and watermarks, and the false positive rate of the watermark reader.

    python -m bench.provenance [--data DIR] [--pictures N] [--cache FILE]

Writes bench/results/provenance.json. Without a data set (`make data`) only the costs are measured and the
watermark figures are kept. A long measurement may be interrupted: the cache stores the result of each image.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import platform
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imageprocess.data.index import IndexRow, read_index
from imageprocess.decode import decode
from imageprocess.errors import InputError
from imageprocess.provenance import read_provenance
from imageprocess.types import ImageFacts
from imageprocess.watermark import dwt_dct
from imageprocess.watermark.payloads import PAYLOADS

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "bench" / "results" / "provenance.json"
SIDES = (4000, 3000)  # 12 megapixels
RUNS = 40
SURVIVAL_PICTURES = 24
TILE, MAX_TILES = 256, 16  # the smallest image that generators mark
# Compression of marked images, to measure whether the watermark is still read.
SAVINGS: dict[str, dict[str, Any]] = {
    "PNG": {"format": "PNG"},
    "JPEG 95, 4:4:4": {"format": "JPEG", "quality": 95, "subsampling": 0},
    "JPEG 90, 4:4:4": {"format": "JPEG", "quality": 90, "subsampling": 0},
    "JPEG 95, 4:2:0": {"format": "JPEG", "quality": 95, "subsampling": 2},
    "WebP 90": {"format": "WEBP", "quality": 90},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="a data set built by `imageprocess data build`")
    parser.add_argument(
        "--pictures",
        type=int,
        default=10**9,
        help="read at most N images that are not in the cache (default: all)",
    )
    parser.add_argument("--cache", type=Path, default=ROOT / "runs" / "watermark.jsonl")
    arguments = parser.parse_args()
    results: dict[str, Any] = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {}
    results["machine"] = {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
    }
    results["cost"] = measure_cost()
    if arguments.data:
        results["watermark"] = measure_watermark(arguments.data, arguments.pictures, arguments.cache)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(OUT.read_text(encoding="utf-8"))


# Cost of reading


def measure_cost() -> dict[str, Any]:
    """Milliseconds of CPU time for all provenance reads together, on a 12-megapixel JPEG with EXIF and XMP."""
    from testkit.credentials import authority, created, sign
    from testkit.records import exif, xmp_source_type

    width, height = SIDES
    rng = np.random.default_rng(1)
    grain = rng.normal(128, 25, (height // 4, width // 4, 3)).clip(0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(grain).resize(SIDES, Image.Resampling.BICUBIC).save(
        stream,
        "JPEG",
        quality=92,
        exif=b"Exif\0\0" + exif(make="Maker", model="Model", taken="2026:01:01 00:00:00", lens="50 mm"),
        xmp=xmp_source_type("digitalCapture"),
    )
    plain = stream.getvalue()
    signed = sign(plain, [created("digitalCapture")])
    with tempfile.TemporaryDirectory() as folder:
        trust_list = Path(folder) / "list.pem"
        trust_list.write_text(authority().root_pem, encoding="utf-8")
        return {
            "pixels": width * height,
            "bytes": len(plain),
            "without_manifest_cpu_ms": _time(plain, trust_list),
            "with_manifest_cpu_ms": _time(signed, trust_list),
        }


def _time(data: bytes, trust_list: Path) -> dict[str, float]:
    facts = ImageFacts("JPEG", *SIDES, 1, len(data))
    read_provenance(data, facts, trust_list=trust_list)  # imports and first use
    taken = []
    for _ in range(RUNS):
        began = time.process_time()  # CPU time: other load on the machine does not count
        read_provenance(data, facts, trust_list=trust_list)
        taken.append(1000 * (time.process_time() - began))
    taken.sort()
    return {
        "fastest": round(taken[0], 2),
        "median": round(statistics.median(taken), 2),
        "slowest": round(taken[-1], 2),
    }


# False positives of the watermark reader


@dataclass(frozen=True, slots=True)
class Reading:
    """Bit errors per reading and payload: of a whole image, and of disjoint tiles of it (real images only)."""

    wrong: list[list[int]]
    tiles: list[list[list[int]]]


def measure_watermark(data: Path, pictures: int, cache: Path) -> dict[str, Any]:
    rows = [row for row in read_index(data) if row.width * row.height >= 256 * 256]
    random.Random(0).shuffle(rows)
    rows.sort(key=lambda row: row.label != "real")  # real images first: they measure false positives
    readings = dict(_cached(cache))
    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.open("a", encoding="utf-8") as stream:
        for row, reading in _read_pictures(data, [r for r in rows if r.path not in readings][:pictures]):
            readings[row.path] = reading
            stream.write(json.dumps({"path": row.path, **asdict(reading)}) + "\n")
    measured = [(row, readings[row.path]) for row in rows if row.path in readings]
    real = [reading for row, reading in measured if row.label == "real"]
    by_source = _hits_by_source(measured)
    marked = [row for row, _ in measured if row.source in by_source]
    return {
        # Random bits, every payload tried in three readings.
        "chance_of_a_hit_on_random_bits": 3 * sum(_chance(len(p.bits), p.max_wrong) for p in PAYLOADS),
        "real_pictures": _summary([reading.wrong for reading in real]),
        "real_pictures_and_tiles": _summary([w for r in real for w in (r.wrong, *r.tiles)]),
        "ai_by_source": by_source,
        "ai_sources_without_a_hit": _sources_without(measured),
        "survival": _survival(data, marked[:SURVIVAL_PICTURES]),
    }


def _cached(cache: Path) -> Iterator[tuple[str, Reading]]:
    if cache.is_file():
        for line in cache.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            yield record["path"], Reading(record["wrong"], record["tiles"])


def _read_pictures(data: Path, rows: list[IndexRow]) -> Iterator[tuple[IndexRow, Reading]]:
    for row in rows:
        path = data / row.path
        if not path.is_file():
            continue
        try:
            pixels = decode(path.read_bytes()).pixels
        except InputError:
            continue
        tiles = list(_tiles(pixels)) if row.label == "real" else []
        yield row, Reading(_wrong_bits(pixels), [_wrong_bits(tile) for tile in tiles])


def _tiles(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """The first disjoint squares: images of their own, as detailed as the whole."""
    squares = [
        (y, x)
        for y in range(0, pixels.shape[0] - TILE + 1, TILE)
        for x in range(0, pixels.shape[1] - TILE + 1, TILE)
    ]
    if len(squares) > 1:  # a single one would be the image again
        for y, x in squares[:MAX_TILES]:
            yield pixels[y : y + TILE, x : x + TILE]


def _wrong_bits(pixels: NDArray[np.uint8]) -> list[list[int]]:
    """Bit errors per reading and payload."""
    return [
        [int((dwt_dct._bits(votes, len(p.bits)) != p.bits).sum()) for p in PAYLOADS]
        for votes in dwt_dct._readings(pixels)
    ]


def _is_hit(wrong: list[list[int]]) -> bool:
    return any(w <= p.max_wrong for reading in wrong for w, p in zip(reading, PAYLOADS, strict=True))


def _chance(bits: int, max_wrong: int) -> float:
    """Probability that at most `max_wrong` of `bits` random bits differ from the payload."""
    return sum(math.comb(bits, k) for k in range(max_wrong + 1)) / 2**bits


def _summary(all_wrong: list[list[list[int]]]) -> dict[str, Any]:
    """Hits, the 95 % upper bound of their rate (Clopper-Pearson, no hit), and the fewest bit errors of any image."""
    count, hits = len(all_wrong), sum(map(_is_hit, all_wrong))
    closest = []
    for i, payload in enumerate(PAYLOADS):
        least = min(reading[i] for wrong in all_wrong for reading in wrong)
        closest.append(
            {
                "payload": payload.generator,
                "bits": len(payload.bits),
                "limit": payload.max_wrong,
                "closest": least,
            }
        )
    bound = 1 - 0.05 ** (1 / count) if hits == 0 else None
    return {"pictures": count, "hits": hits, "rate_upper_bound_95": bound, "wrong_bits": closest}


def _hits_by_source(seen: list[tuple[IndexRow, Reading]]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: {"pictures": 0, "hits": 0})
    for row, reading in seen:
        if row.label == "ai":
            counts[row.source]["pictures"] += 1
            counts[row.source]["hits"] += _is_hit(reading.wrong)
    return {source: count for source, count in sorted(counts.items()) if count["hits"]}


def _sources_without(seen: list[tuple[IndexRow, Reading]]) -> dict[str, int]:
    hit = _hits_by_source(seen)
    others = [row.source for row, _ in seen if row.label == "ai" and row.source not in hit]
    return {"sources": len(set(others)), "pictures": len(others)}


def _survival(data: Path, rows: list[IndexRow]) -> dict[str, Any]:
    """Of images of generators that mark: the share still read after compression, and by the writer's own reading."""
    ways: dict[str, Callable[[NDArray[np.float32]], NDArray[np.bool_]]] = {
        "ours": dwt_dct._votes,
        "writers_own": _largest_votes,
    }
    counts = {saving: dict.fromkeys(ways, 0) for saving in SAVINGS}
    for row in rows:
        pixels = decode((data / row.path).read_bytes()).pixels
        for saving, options in SAVINGS.items():
            stream = io.BytesIO()
            Image.fromarray(pixels).save(stream, **options)
            again = decode(stream.getvalue()).pixels
            for way, votes in ways.items():
                counts[saving][way] += _is_hit(_wrong_by(again, votes))
    return {"pictures": len(rows), "still_read": counts}


def _wrong_by(
    pixels: NDArray[np.uint8], votes: Callable[[NDArray[np.float32]], NDArray[np.bool_]]
) -> list[list[int]]:
    original_votes = dwt_dct._votes
    dwt_dct._votes = votes
    try:
        return _wrong_bits(pixels)
    finally:
        dwt_dct._votes = original_votes


def _largest_votes(band: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The writer's own reading: each block votes by its largest coefficient except the first."""
    high, wide = band.shape[0] // 4, band.shape[1] // 4
    blocks = band[: high * 4, : wide * 4].reshape(high, 4, wide, 4).swapaxes(1, 2).reshape(-1, 16)[:, 1:]
    largest: NDArray[np.float32] = np.abs(blocks).max(axis=1)
    return largest % 36 > 18


if __name__ == "__main__":
    main()
