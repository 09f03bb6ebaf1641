"""Write the results of bench.reliability and bench.image as a table into docs/benchmarks.md, unmet targets included."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.markers import write_between

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
RELIABILITY = ROOT / "bench" / "results" / "reliability.json"
IMAGE = ROOT / "bench" / "results" / "image.json"
Row = tuple[str, str, str, bool]  # test, target, result, whether the target is met


def write() -> None:
    results: dict[str, Any] = json.loads(RELIABILITY.read_text("utf-8")) if RELIABILITY.is_file() else {}
    if IMAGE.is_file():
        results["image"] = json.loads(IMAGE.read_text("utf-8"))
    rows = [row for name in ROWS if name in results for row in ROWS[name](results[name])]
    lines = ["| what was done | asked | found | |", "|---|---|---|---|"]
    lines += [
        f"| {test} | {target} | {result} | {'✓' if holds else 'missed'} |"
        for test, target, result, holds in rows
    ]
    write_between(PAGE, "reliability", "\n".join(lines))


def _hostile(part: dict[str, Any]) -> Iterator[Row]:
    bad = part["server_errors"] + part["hangs"] + part["probes_failed"]
    yield (
        f"{part['files']:,} hostile files: cut off, flipped, bombs, other people's collections",
        "no 5xx, none over 10 s, `/healthz` answers throughout",
        f"{part['server_errors']} 5xx, {part['hangs']} hangs, slowest {part['slowest']['seconds']} s; "
        f"{part['probes']:,} probes, the slowest {part['slowest_probe_s']} s",
        bad == 0,
    )


def _schemathesis(part: dict[str, Any]) -> Iterator[Row]:
    failures = sum(part["failures"].values()) + part["errors"]
    yield (
        f"{part['cases']:,} requests made up from the OpenAPI document (schemathesis)",
        "no server error, no undocumented status",
        f"{failures} failures",
        failures == 0,
    )


def _load(part: dict[str, Any]) -> Iterator[Row]:
    who = f"{part['clients']} clients, {part['seconds']:.0f} s, 1-megapixel JPEGs"
    bad = part["lost"] + part["wrong"]
    yield who, "no answer lost or wrong", f"{part['answers']:,} answers, {bad} lost or wrong", bad == 0
    share, each = part["share_of_in_process"], sorted(part["per_second"])[part["rounds"] // 2]
    yield (
        f"the same, median of {part['rounds']} rounds",
        "85 % of `detect` in-process on the same cores",
        f"{100 * share:.0f} % ({each} pictures/s)",
        share >= 0.85,
    )
    p50, p99 = part["at_80_percent_ms"].values()
    yield (
        f"at 80 % of that load, median of {part['rounds']} rounds",
        "p99 at most 3 x p50",
        f"p50 {p50:.0f} ms, p99 {p99:.0f} ms: {part['p99_over_p50']} x",
        part["p99_over_p50"] <= 3,
    )
    sizes = list(part["pss_mb"].items())
    (early, first), (late, last) = sizes[1], sizes[-1]
    growth = part["pss_growth"]
    yield (
        "memory, all processes",
        f"after {late} within 5 % of after {early}",
        f"{first:.0f} MB, {last:.0f} MB ({100 * growth:+.1f} %)",
        growth <= 0.05,
    )
    largest = part["largest_process_mb"]
    yield "memory, each process", "under 350 MB", f"{largest:.0f} MB at most", largest < 350
    ready = part["start_to_ready_s"]
    yield "start to ready", "under 2 s", f"{ready} s", ready < 2


def _chaos(part: dict[str, Any]) -> Iterator[Row]:
    bad = part["wrong"] + part["lost"]
    yield (
        f"a worker killed every 2 s under load, {part['kills']} in all",
        "every request gets its right answer or a 503, none hangs",
        f"{part['right']:,} right, {part['told_to_come_back']} x 503, {bad} wrong or lost, "
        f"slowest {part['slowest_s']} s",
        bad == 0,
    )


def _abuse(part: dict[str, Any]) -> Iterator[Row]:
    slow = part["slow"]
    yield (
        f"{slow['connections']:,} connections that trickle",
        "closed in time, others answered",
        f"the last after {slow['last_ended_after_s']} s of 3 s allowed; {slow['others_answered']} others answered, "
        f"the slowest in {slow['slowest_other_s']} s",
        slow["last_ended_after_s"] < 10,
    )
    is_documented = part["answers"] == part["documented"]
    result = "as documented" if is_documented else str(part["answers"])
    yield "too large, wrong type, no key, wrong key", "the documented answers", result, is_documented
    good = {int(status): count for status, count in part["keys"].items()}
    yield "1,000 keys", "each is known", f"{good.get(200, 0):,} answered", good == {200: 1000}


def _image(part: dict[str, Any]) -> Iterator[Row]:
    holds = (
        all(part[name] for name in ("root_is_read_only", "health_check", "ends_on_sigterm")) and part["uid"]
    )
    yield (
        "the image's steps in a bare Debian, its service on a read-only root without capabilities",
        f"under {part['limit_mb']} MB, not as root, healthy",
        f"{part['image_mb']:.0f} MB, user {part['uid']}, {'healthy' if part['health_check'] else 'not healthy'}",
        bool(holds) and part["image_mb"] < part["limit_mb"],
    )


ROWS = {
    "hostile": _hostile,
    "schemathesis": _schemathesis,
    "load": _load,
    "chaos": _chaos,
    "abuse": _abuse,
    "image": _image,
}
