"""From a feature store to a recipe folder: folds, head, calibration, what was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ...data.index import data_id, read_index
from ..calibration import calibrate, probabilities
from . import clip
from .features import FeatureSet, load_features
from .head import HeadOptions, out_of_fold, source_folds, train_head
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
    trained = [row for row in rows if row.split != "open_test"]
    training = load_features(store, trained)
    folds = source_folds(training, _repositories(), options.folds)
    scores = out_of_fold(training, folds, options, progress)
    logits = np.stack([scores / 2, -scores / 2], axis=1).astype(np.float32)
    labels = (~training.is_ai).astype(np.int64)
    calibration = calibrate(
        logits,
        labels,
        fitted_on=f"out-of-fold logits of {options.folds} folds of training sources, all degradations",
    )
    head, score = train_head(training, options, progress)
    measured: dict[str, Any] = {"out_of_fold": _by_variant(training, scores)}
    tests = [row for row in rows if row.split == "open_test"]
    if tests:
        held = load_features(store, tests)
        test_scores = score(held)
        measured["open_test"] = _by_variant(held, test_scores)
        measured["open_test_calibrated"] = _answers(held, test_scores, calibration)
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


def _repositories() -> dict[str, str]:
    from ...data.manifest import load_manifest

    return {entry.id: entry.repo for entry in load_manifest()}


def _by_variant(data: FeatureSet, scores: NDArray[np.float64]) -> dict[str, float]:
    """AUROC of each variant, sources weighing alike within their class."""
    _, index, counts = np.unique(data.source, return_inverse=True, return_counts=True)
    weights = 1 / counts[index]
    return {
        str(variant): round(
            float(roc_auc_score(data.is_ai[mask], scores[mask], sample_weight=weights[mask])), 4
        )
        for variant in np.unique(data.variant)
        if data.is_ai[mask := data.variant == variant].any() and (~data.is_ai[mask]).any()
    }


def _answers(data: FeatureSet, scores: NDArray[np.float64], calibration: Any) -> dict[str, dict[str, float]]:
    """By mode, over all variants: the share answered, and the errors of either class."""
    probability = probabilities(scores, calibration.temperature, calibration.bias)
    table = {}
    for mode, cut in calibration.thresholds.items():
        says_ai, says_real = probability >= cut["ai"], probability <= cut["real"]
        table[str(mode)] = {
            "coverage": round(float((says_ai | says_real).mean()), 4),
            "real_called_ai": round(float(says_ai[~data.is_ai].mean()), 4),
            "ai_called_real": round(float((says_real & ~says_ai)[data.is_ai].mean()), 4),
        }
    return table
