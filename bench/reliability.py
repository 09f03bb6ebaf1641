"""Reliability of a running service: hostile files, generated requests, load, killed workers and abuse.

    python -m bench.reliability [--only hostile,schemathesis,load,chaos,abuse] [--seconds 300]

`--seconds`: duration of the load; workers are killed for two fifths of it. Writes bench/results/reliability.json and
the table in docs/benchmarks.md; parts that are not measured keep their recorded results. Clients and service share
the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import reliability_table
from bench.under_load import judge, measure_load, photos, service
from imageprocess.serve.settings import Settings
from testkit import hostile_files, schema_requests
from testkit.abuse import abuse
from testkit.keyfiles import line
from testkit.loading import Connection, form, load
from testkit.serving import child_pids

ROOT = Path(__file__).resolve().parents[1]
COLLECTED = ROOT.parent / "shared" / "hostile"  # published collections, if they lie beside the repository
TIMEOUT_S = 10  # the service's default for one picture
KILL_EVERY_S = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        default=",".join(PARTS),
        help="comma-separated parts to measure (default: all): " + ", ".join(PARTS),
    )
    parser.add_argument("--seconds", type=float, default=300)
    arguments = parser.parse_args()
    results: dict[str, Any] = (
        json.loads(reliability_table.RELIABILITY.read_text("utf-8"))
        if reliability_table.RELIABILITY.is_file()
        else {}
    )
    for name in arguments.only.split(","):
        results[name] = PARTS[name](arguments.seconds)
        print(name, json.dumps(results[name], indent=1), flush=True)
        reliability_table.RELIABILITY.parent.mkdir(parents=True, exist_ok=True)
        reliability_table.RELIABILITY.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    reliability_table.write()


# Hostile files


def measure_hostile(_: float) -> dict[str, Any]:
    files = [*hostile_files.truncated(), *hostile_files.flipped(100), *hostile_files.bombs()]
    if COLLECTED.is_dir():
        files += hostile_files.collected(COLLECTED)
    random.Random(0).shuffle(files)
    with service() as (address, _):
        return {"files": len(files), **asyncio.run(_send_hostile(address, files))}


async def _send_hostile(address: str, files: list[tuple[str, bytes]]) -> dict[str, Any]:
    codes: Counter[str] = Counter()
    left, taken, probes = iter(files), {}, []
    done = asyncio.Event()

    async def client() -> None:
        connection = Connection(address)
        for name, data in left:
            began = time.perf_counter()
            status, answer = await connection.ask(form(data))
            taken[name] = time.perf_counter() - began
            record = answer["results"][0] if status == 200 else {}
            codes[record.get("error", {}).get("code", "ok") if record else str(status)] += 1
        connection.close()

    async def prober() -> None:
        connection = Connection(address)
        while not done.is_set():
            began = time.perf_counter()
            status, _ = await connection.ask(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            probes.append((status, time.perf_counter() - began))
            await asyncio.sleep(0.05)
        connection.close()

    probing = asyncio.create_task(prober())
    # As many clients as workers: measures the time of an image, without queueing.
    await asyncio.gather(*(client() for _ in range(Settings().jobs)))
    done.set()
    await probing
    slowest = max(taken, key=lambda name: taken[name])
    return {
        "answers": dict(sorted(codes.items())),
        "server_errors": sum(count for code, count in codes.items() if code.startswith("5")),
        "hangs": sum(seconds > TIMEOUT_S for seconds in taken.values()),
        "slowest": {"file": slowest, "seconds": round(taken[slowest], 2)},
        "probes": len(probes),
        "probes_failed": sum(status != 200 for status, _ in probes),
        "slowest_probe_s": round(max(seconds for _, seconds in probes), 3),
    }


# Requests generated from the OpenAPI document


def measure_schemathesis(_: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        keys.write_text(line("bench", "k1"), encoding="utf-8")
        # Schemathesis counts the documented 503 of a full queue of jobs as a server error, so the queue is long.
        with service(keys_file=str(keys), batch_jobs="10000") as (address, _):
            report = schema_requests.run(address, Path(folder), examples=200, key="k1")
    failures = Counter({failure["type"]: failure["count"] for failure in report["failures"]})
    return {
        "cases": report["test_cases"]["generated"],
        "failures": dict(failures),
        "errors": len(report["errors"]),
    }


# Killed workers


def measure_chaos(seconds: float) -> dict[str, Any]:
    pictures = photos()
    requests, is_right = [form(data) for data in pictures], judge(pictures)
    kills, stop = [0], threading.Event()
    with service() as (address, pid):

        def kill_workers() -> None:
            while not stop.wait(KILL_EVERY_S):
                if workers := child_pids(pid):
                    os.kill(random.choice(workers), signal.SIGKILL)
                    kills[0] += 1

        killer = threading.Thread(target=kill_workers)
        killer.start()
        try:
            allowed = frozenset({503})
            tally = asyncio.run(
                load(address, requests, is_right, clients=16, seconds=0.4 * seconds, allowed=allowed)
            )
        finally:
            stop.set()
            killer.join()
    return {
        "seconds": 0.4 * seconds,
        "kills": kills[0],
        "right": len(tally.latencies_s),
        "told_to_come_back": tally.statuses[503],
        "wrong": len(tally.wrong),
        "lost": len(tally.lost),
        "slowest_s": round(max(tally.latencies_s), 2),
    }


# Abuse


def measure_abuse(_: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        keys.write_text("".join(line(f"user{n}", f"key{n}") for n in range(1000)), encoding="utf-8")
        with service(keys_file=str(keys), header_timeout_s="3", body_timeout_s="3") as (address, _):
            return abuse(address, [f"key{n}" for n in range(1000)], patience_s=3)


PARTS: dict[str, Callable[[float], dict[str, Any]]] = {
    "hostile": measure_hostile,
    "schemathesis": measure_schemathesis,
    "load": measure_load,
    "chaos": measure_chaos,
    "abuse": measure_abuse,
}

if __name__ == "__main__":
    main()
