"""Compares heads trained on the sources of an older manifest and on the current ones, by test set and category.

python -m bench.source_sets DATA STORE OLDER.json     rewrites the table of docs/sources.md

OLDER.json is an earlier version of src/imageprocess/data/sources.json, from the history of the repository.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.markers import write_between
from imageprocess.data.index import read_index
from imageprocess.train.encoder.features import TEST_VARIANTS, TRAIN_VARIANTS, FeatureSet, load_features
from imageprocess.train.encoder.head import HeadOptions, train_head
from imageprocess.train.encoder.measure import auroc_by_variant

PAGE = Path(__file__).parents[1] / "docs" / "sources.md"
OPTIONS = HeadOptions(seeds=2)
Score = Callable[[FeatureSet], NDArray[np.float64]]


def main(data: Path, store: Path, older: Path) -> None:
    rows = read_index(data)
    trained = [row for row in rows if row.split in ("train", "val", "test")]
    # Not `load_manifest`, because an older manifest may have categories that no longer exist.
    first = {entry["id"] for entry in json.loads(older.read_text("utf-8"))["sources"]}
    scores = {}
    for name, training in (
        ("older", [row for row in trained if row.source in first]),
        ("today's", trained),
    ):
        features = load_features(store, training, TRAIN_VARIANTS)
        counts = f"{len(np.unique(features.source))} sources, {len(np.unique(features.picture)):,} pictures"
        scores[f"{name} ({counts})"] = train_head(features, OPTIONS)[1]
    names = sorted({row.test_set for row in rows if row.split == "open_test"})
    lines = [f"| test set | {' | '.join(scores)} |", "|---" * (len(scores) + 1) + "|"]
    for name in names:
        test = load_features(store, [row for row in rows if row.test_set == name], TEST_VARIANTS)
        for title, part in _parts(name, test):
            lines.append(f"| {title} | {' | '.join(_cell(part, score) for score in scores.values())} |")
    write_between(PAGE, "source sets", "\n".join(lines))


def _parts(name: str, data: FeatureSet) -> Iterator[tuple[str, FeatureSet]]:
    """(title, features) of the whole test set and of each category, if they have both classes."""
    if 0 < data.is_ai.mean() < 1:
        yield name, data
    for category in np.unique(data.category):
        mask = data.category == category
        if 0 < data.is_ai[mask].mean() < 1:
            yield f"{name}, {category}", data.subset(mask)


def _cell(data: FeatureSet, score: Score) -> str:
    aurocs = auroc_by_variant(data, score(data))
    return " / ".join(f"{aurocs[variant]:.3f}" for variant in TEST_VARIANTS)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
