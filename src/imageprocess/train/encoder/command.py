"""From a feature store to a recipe folder: folds, head, calibration, what was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ...data.index import data_id, read_index
from ..calibration import calibrate
from . import clip
from .features import TRAIN_VARIANTS, load_features
from .head import HeadOptions, out_of_fold, source_folds, train_head
from .measure import auroc_by_variant, measure_test_sets
from .recipe import Recipe, write_recipe


def train(
    data: Path,
    store: Path,
    encoder: Path,
    quantisation: Path,
    out: Path,
    version: str,
    *,
    options: HeadOptions | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> None:
    """Write the recipe folder `out`. Everything is chosen out of fold; `open_test` is measured and nothing else."""
    options = options or HeadOptions()
    rows = read_index(data)
    trained = [row for row in rows if row.split in ("train", "val", "test")]
    training = load_features(store, trained, TRAIN_VARIANTS)
    folds = source_folds(training, repositories(), options.folds)
    scores = out_of_fold(training, folds, options, progress)
    logits = np.stack([scores / 2, -scores / 2], axis=1).astype(np.float32)
    labels = (~training.is_ai).astype(np.int64)
    calibration = calibrate(
        logits,
        labels,
        fitted_on=f"out-of-fold logits of {options.folds} folds of training sources, all degradations",
    )
    head, score = train_head(training, options, progress)
    measured = {
        "out_of_fold": auroc_by_variant(training, scores),
        **measure_test_sets(store, rows, score, calibration),
    }
    facts = {
        "data_id": data_id(rows),
        "images": {"train": len(training.cls), "sources": len(np.unique(training.source))},
        "smallest_px": min(max(row.width, row.height) for row in trained),
        "recipe": asdict(options),
        "measured": measured,
    }
    base = {**clip.BASE, "taps": list(clip.TAPS)}
    recipe = Recipe("clip", version, base, clip.INPUT, clip.CROPS, head, calibration, facts)
    write_recipe(out, recipe, encoder, quantisation)


def repositories() -> dict[str, str]:
    from ...data.manifest import load_manifest

    return {entry.id: entry.repo for entry in load_manifest()}
