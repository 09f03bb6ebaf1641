"""Does the time of `imageprocess batch` grow linearly with the number of images, at constant memory?

    python -m bench.growth [--up-to N]

`imageprocess batch` over 100, 1,000, 10,000 and 100,000 small images (the same files repeated, results not
reused). Writes bench/results/growth.json and docs/growth.png.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.pictures import draw, encode

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results" / "growth.json"
PICTURE = ROOT / "docs" / "growth.png"
COUNTS = (100, 1_000, 10_000, 100_000)
FILES, SIZE = 500, (320, 240)
SAMPLED_EVERY_S = 0.5
Row = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--up-to",
        type=int,
        default=COUNTS[-1],
        help="number of images of the largest job that runs the model",
    )
    arguments = parser.parse_args()
    facts: dict[str, Any] = {"cpus": os.cpu_count(), "picture": f"JPEG, {SIZE[0]} x {SIZE[1]}", "series": {}}
    with tempfile.TemporaryDirectory() as scratch:
        files = _files(Path(scratch))
        for name, (options, largest) in {
            "without the network": (["--only", "provenance,watermark"], COUNTS[-1]),
            "every check": ([], arguments.up_to),
        }.items():
            rows = facts["series"][name] = []
            for count in (count for count in COUNTS if count <= largest):
                rows.append(_measure(files, count, Path(scratch), options))
                RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
                _draw(facts["series"])


def _files(folder: Path) -> list[Path]:
    files = []
    for number in range(FILES):
        path = folder / f"{number:03}.jpg"
        path.write_bytes(encode(draw(SIZE, number)))
        files.append(path)
    return files


def _measure(files: list[Path], count: int, scratch: Path, options: list[str]) -> Row:
    listed, out = scratch / "list.txt", scratch / "out.jsonl"
    listed.write_text("".join(f"{files[i % len(files)]}\n" for i in range(count)), encoding="utf-8")
    command = [
        sys.executable, "-m", "imageprocess", "batch", "--from-list", str(listed), "--out", str(out), "--no-reuse",
        *options,
    ]  # fmt: skip
    seconds, cpu_s, peak_mb = run(command)
    with out.open("rb") as rows:
        assert sum(1 for _ in rows) == count
    out.unlink()
    row = {
        "pictures": count,
        "seconds": round(seconds, 2),
        "cpu_s": round(cpu_s, 2),
        "peak_mb": round(peak_mb, 1),
    }
    print(row, flush=True)
    return row


def run(command: list[str], sampled_every_s: float = SAMPLED_EVERY_S) -> tuple[float, float, float]:
    """Wall-clock seconds, CPU seconds and peak MB of all its processes together. Raises if the exit status is not 0."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    peak_mb, cpu_s = 0.0, 0.0
    while process.poll() is None:
        alive = tree(process.pid)
        peak_mb = max(peak_mb, sum(map(memory_mb, alive)))
        cpu_s = max(cpu_s, sum(map(_cpu_s, alive)))
        time.sleep(sampled_every_s)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - began, cpu_s, peak_mb


def tree(root: int) -> list[int]:
    """`root` and all its descendants."""
    parents: dict[int, int] = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                parents[int(process.name)] = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
    pids, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        pids.append(pid)
        waiting += [child for child, parent in parents.items() if parent == pid]
    return pids


def memory_mb(pid: int) -> float:
    """Proportional set size: a page that n processes share counts as 1 / n."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _draw(series: dict[str, list[Row]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for (name, rows), colour in zip(series.items(), ("tab:blue", "tab:orange"), strict=False):
        counts = [row["pictures"] for row in rows]
        left.loglog(counts, [row["seconds"] for row in rows], "o-", color=colour, label=name)
        last = rows[-1]["seconds"] / counts[-1]
        left.loglog(counts, [last * count for count in counts], ":", color=colour, label="in proportion")
        right.semilogx(counts, [row["peak_mb"] for row in rows], "o-", color=colour, label=name)
    left.set(xlabel="pictures", ylabel="seconds", title="Time")
    right.set(xlabel="pictures", ylabel="MB, all processes", title="Most memory", ylim=(0, 700))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(PICTURE, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
