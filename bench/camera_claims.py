"""False claims: how often the metadata of a camera file or a hostile file is read as a claim of AI (target: never).

    python -m bench.camera_claims FOLDER... [--name NAME]...

Each FOLDER is a collection without generated images. Writes bench/results/camera_claims.json, which docs/records.md
shows. Only metadata is read, no pixels.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

from imageprocess.decode import read_header, sniff
from imageprocess.provenance import read_provenance

OUT = Path(__file__).with_name("results") / "camera_claims.json"
_MAX_BYTES = 200_000_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        help="name of a FOLDER in the table, in the same order (default: its own name)",
    )
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # Pillow warns about damaged headers
    names = [*arguments.name, *(folder.name for folder in arguments.folders[len(arguments.name) :])]
    results = {name: measure(folder) for name, folder in zip(names, arguments.folders, strict=True)}
    OUT.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(OUT.read_text(encoding="utf-8"))


def measure(folder: Path) -> dict[str, Any]:
    files = cameras = 0
    claims: list[str] = []
    times_ms: list[float] = []  # of files without Content Credentials
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            continue
        data = path.read_bytes()
        facts = read_header(data) if sniff(data) else None
        if facts is None:
            continue
        if not files:
            read_provenance(data, facts)  # imports and first use
        began = time.process_time()
        evidence = read_provenance(data, facts)
        if not any(item.kind == "c2pa" for item in evidence):
            times_ms.append(1000 * (time.process_time() - began))
        files += 1
        cameras += any(item.kind == "exif" for item in evidence)
        if any(item.points_to in ("ai", "ai_edited") for item in evidence):
            claims.append(path.relative_to(folder).as_posix())
    return {"files": files, "name_a_camera": cameras, "claims_of_ai": claims,
            "median_without_manifest_cpu_ms": _share(times_ms, 0.5),
            "p99_without_manifest_cpu_ms": _share(times_ms, 0.99),
            "slowest_without_manifest_cpu_ms": _share(times_ms, 1)}  # fmt: skip


def _share(times_ms: list[float], share: float) -> float:
    """Quantile of the reading times: `share` of the files are read within it."""
    ordered = sorted(times_ms) or [0.0]
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 2)


if __name__ == "__main__":
    main()
