"""How the head's AUROC on the test sets depends on the number of sources and images, on views and on blocks.

python -m bench.encoder_curves DATA STORE     writes bench/results/encoder.json, docs/encoder_curves.png
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

from imageprocess.data.index import IndexRow, data_id, first_of_each, read_index
from imageprocess.data.sampling import source_weights
from imageprocess.train.encoder import clip
from imageprocess.train.encoder.features import TEST_VARIANTS, TRAIN_VARIANTS, FeatureSet, load_features
from imageprocess.train.encoder.head import HeadOptions, train_head

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results" / "encoder.json"
FIGURE = ROOT / "docs" / "encoder_curves.png"
OPTIONS = HeadOptions(seeds=1)
WIDTH = 768
Rows = list[IndexRow]
Curves = dict[str, dict[str, dict[str, float]]]  # title -> point -> test set -> AUROC


def main(data: Path, store: Path) -> None:
    rows = read_index(data)
    training = [row for row in rows if row.split in ("train", "val", "test")]
    sets = {row.test_set for row in rows if row.split == "open_test"}
    tests = {
        name: [row for row in rows if row.split == "open_test" and row.test_set == name] for name in sets
    }
    tests = {name: part for name, part in sorted(tests.items()) if len({row.label for row in part}) == 2}
    measure = _measure(store, tests)
    points: dict[str, dict[str, Callable[[], dict[str, float]]]] = {
        "share of the training sources": {
            f"{share:.0%}": partial(measure, _sources(training, share), _same)
            for share in (0.25, 0.5, 0.75, 1.0)
        },
        "pictures a source": {
            str(count): partial(measure, _pictures(training, count), _same) for count in (4, 8, 16, 30)
        },
        "views": {
            "whole": partial(measure, training, partial(_views, view=0)),
            "crop": partial(measure, training, partial(_views, view=1)),
            "both": partial(measure, training, _same),
        },
        "blocks": {
            name: partial(measure, training, partial(_blocks, taps=taps))
            for name, taps in {"8": (8,), "11": (11,), "7-9": (7, 8, 9), "5-11": clip.TAPS}.items()
        },
    }
    _draw(_fill(points, data_id(rows)))


def _fill(points: dict[str, dict[str, Callable[[], dict[str, float]]]], data: str) -> Curves:
    """Measure the points that RESULTS lacks. It is written after each, so that an interrupted run can continue."""
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    curves: Curves = known["curves"] if known.get("data_id") == data else {}
    for title, named in points.items():
        for name, measure in named.items():
            if name not in curves.setdefault(title, {}):
                curves[title][name] = measure()
                RESULTS.write_text(json.dumps({"data_id": data, "curves": curves}, indent=1) + "\n", "utf-8")
    return curves


def _measure(store: Path, tests: dict[str, Rows]) -> Callable[..., dict[str, float]]:
    features = {name: load_features(store, rows, TEST_VARIANTS) for name, rows in tests.items()}

    def measure(training: Rows, change: Callable[[FeatureSet], FeatureSet]) -> dict[str, float]:
        _, score = train_head(change(load_features(store, training, TRAIN_VARIANTS)), OPTIONS)
        aurocs = {name: _auroc(data, score(change(data))) for name, data in features.items()}
        print(aurocs, file=sys.stderr, flush=True)
        return aurocs

    return measure


def _auroc(data: FeatureSet, scores: np.ndarray) -> float:
    """Over all variants, every source with the same weight."""
    return round(float(roc_auc_score(data.is_ai, scores, sample_weight=source_weights(data.source))), 4)


def _same(features: FeatureSet) -> FeatureSet:
    return features


def _views(features: FeatureSet, view: int) -> FeatureSet:
    """Replace both views by one of them."""
    both = np.array([view, view])
    return replace(features, cls=features.cls[:, both], patches=features.patches[:, both])


def _blocks(features: FeatureSet, taps: tuple[int, ...]) -> FeatureSet:
    columns = np.concatenate([np.arange(WIDTH) + WIDTH * clip.TAPS.index(tap) for tap in taps])
    return replace(features, cls=features.cls[..., columns], patches=features.patches[..., columns])


def _sources(rows: Rows, share: float) -> Rows:
    rng = np.random.default_rng(3)
    chosen: set[str] = set()
    for label in ("ai", "real"):
        names = sorted({row.source for row in rows if row.label == label})
        chosen.update(rng.permutation(names)[: round(share * len(names))])
    return [row for row in rows if row.source in chosen]


def _pictures(rows: Rows, count: int) -> Rows:
    return first_of_each(rows, count, lambda row: row.source)


def _draw(curves: Curves) -> None:
    figure, axes = plt.subplots(1, len(curves), figsize=(15, 3.6), sharey=True)
    for axis, (title, points) in zip(axes, curves.items(), strict=True):
        for name in next(iter(points.values())):
            axis.plot(list(points), [point[name] for point in points.values()], marker="o", label=name)
        axis.set_title(title)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("AUROC, every source with the same weight")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(FIGURE, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
