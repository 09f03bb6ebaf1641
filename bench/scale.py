"""Throughput of one and two workers, and an estimate for a billion images from it.

    python -m bench.scale [--plan-only]

Writes bench/results/scale.json and the tables in docs/scale.md, where each line is marked as measured, assumed or
estimated. The plan uses the rate of one worker with the default model or, until that is measured, the rate of one core
in bench/results/speed.json. Needs an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.growth import run
from bench.pictures import SIZES, draw, encode

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results" / "scale.json"
SPEED = ROOT / "bench" / "results" / "speed.json"
DOCS = ROOT / "docs" / "scale.md"
PICTURES, START_PICTURES, ROUNDS = 150, 32, 2
# Assumptions of the plan.
BILLION = 1_000_000_000
CORES = 2_000  # in the cluster
DOLLARS_A_CORE_HOUR = 0.03  # about the price of spot machines at the large clouds
DOLLARS_A_TERABYTE_MONTH = 23  # about the price of their object stores
EFFICIENCY = 0.85  # share of the cores' time that is work: lost machines, the last tasks of a job, slow reads
JOB_PICTURES = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--plan-only", action="store_true", help="only rewrite the plan from recorded results"
    )
    if not parser.parse_args().plan_only:
        RESULTS.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    write()


def measure() -> dict[str, Any]:
    """Images per second of CPU time with 1 and 2 workers, alternating, without the start of the processes.

    CPU time excludes other load on the machine, and the time that workers wait for each other.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files = []
        for number in range(PICTURES):
            path = Path(scratch) / f"{number:03}.jpg"
            path.write_bytes(encode(draw(SIZES["1 MP"], number)))
            files.append(path)
        out = Path(scratch) / "out.jsonl"
        rates: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(ROUNDS):
            for jobs, measured in rates.items():
                start_s = _run(files[:START_PICTURES], out, jobs)
                measured.append((PICTURES - START_PICTURES) / (_run(files, out, jobs) - start_s))
        row_bytes = out.stat().st_size / PICTURES
        table = Path(scratch) / "out.parquet"
        _run(files, table, 2)
        return {
            "pictures": PICTURES,
            "picture_bytes": round(statistics.mean(path.stat().st_size for path in files)),
            "a_second": {
                str(jobs): round(statistics.median(measured), 1) for jobs, measured in rates.items()
            },
            "two_over_one": round(statistics.median(b / a for a, b in zip(*rates.values(), strict=True)), 2),
            "jsonl_bytes_a_row": round(row_bytes),
            "parquet_bytes_a_row": round(table.stat().st_size / PICTURES),
        }


def _run(files: list[Path], out: Path, jobs: int) -> float:
    listed = out.with_name("list.txt")
    listed.write_text("".join(f"{path}\n" for path in files), encoding="utf-8")
    command = [
        sys.executable, "-m", "imageprocess", "batch", "--from-list", str(listed), "--out", str(out),
        "--overwrite", "--no-reuse", "--jobs", str(jobs),
    ]  # fmt: skip
    _, cpu_s, _ = run(command, sampled_every_s=0.05)
    return cpu_s


def write() -> None:
    speed = json.loads(SPEED.read_text(encoding="utf-8"))
    one = next(row for row in speed["in_process"] if (row["size"], row["format"]) == ("1 MP", "JPEG"))
    two = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else None
    rate = two["a_second"]["1"] if two else one[f"{speed['default_model']}_a_second"]
    text = DOCS.read_text(encoding="utf-8")
    for name, lines in (("measured", _curve(rate, two)), ("plan", _plan(rate, one["bytes"], two))):
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, rest = text.split(begin)
        text = before + "\n".join([begin, *lines, end]) + rest.split(end)[1]
    DOCS.write_text(text, encoding="utf-8")


def _curve(rate: float, two: dict[str, Any] | None) -> list[str]:
    lines = [
        "| workers | JPEGs of 1 MP a second | of proportion |  |",
        "|---|---|---|---|",
        f"| 1 | {rate} | 1 | measured, CPU time |",
    ]
    if two:
        lines.append(f"| 2 | {2 * two['a_second']['2']:.1f} | {two['two_over_one']} | measured, CPU time |")
    models = (n for n in (2, 16, 64, 256, CORES) if not (two and n == 2))
    return lines + [f"| {n:,} | {n * rate * EFFICIENCY:,.0f} | {EFFICIENCY} | model |" for n in models]


def _plan(rate: float, size: int, two: dict[str, Any] | None) -> list[str]:
    core_hours = BILLION / rate / EFFICIENCY / 3600
    terabytes = BILLION * size / 1e12
    lines = [
        "| a billion pictures |  |  |",
        "|---|---|---|",
        f"| a core's pictures a second | {rate} | measured, JPEG of 1 MP, decoding and every check included |",
        f"| share of the cores' time that is work | {EFFICIENCY} | assumed |",
        f"| core hours | {core_hours:,.0f} | model: 10⁹ / rate / share |",
        f"| with {CORES:,} cores | {core_hours / CORES:,.1f} hours | model |",
        f"| at {DOLLARS_A_CORE_HOUR} dollars a core hour | {core_hours * DOLLARS_A_CORE_HOUR:,.0f} dollars "
        "| model, price assumed |",
        f"| what comes in | {terabytes:,.0f} TB, {rate * size / 1e6:,.1f} MB a second and core, "
        f"{CORES * rate * size * 8 / 1e9:,.0f} Gbit a second in all "
        f"| model: {size:,} bytes a picture, as measured with |",
        f"| keeping that for a month | {terabytes * DOLLARS_A_TERABYTE_MONTH:,.0f} dollars | model, price assumed |",
        f"| jobs | {BILLION // JOB_PICTURES:,} of {JOB_PICTURES:,} pictures, "
        f"{JOB_PICTURES / rate / EFFICIENCY / 64 / 60:,.0f} minutes each on 64 cores | model |",
    ]
    if two:
        parquet, jsonl = (two[f"{form}_bytes_a_row"] for form in ("parquet", "jsonl"))
        lines.append(
            f"| rows | {BILLION * parquet / 1e12:.2f} TB as Parquet, {BILLION * jsonl / 1e12:.2f} TB as JSONL | "
            f"model: {parquet} and {jsonl} bytes a row, measured |"
        )
    return lines


if __name__ == "__main__":
    main()
