"""From a feature store to a head: folds, calibration, what was measured; and the recipe folder of the model `clip`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...data.categories import EDIT
from ...data.index import IndexRow, data_id, read_index
from ...errors import UsageError
from ...model.base.head import Head
from ...model.registry import file_sha256
from ..calibration import Calibration, calibrate
from . import clip
from .features import TEST_VARIANTS, TRAIN_VARIANTS, FeatureSet, FeatureSpec, load_features
from .head import HeadOptions, choose_folds, out_of_fold, train_head
from .maker import Maker, MakerOptions, train_maker
from .measure import auroc_by_variant, measure_test_sets
from .recipe import Recipe, write_recipe
from .view_cuts import fit_view_cuts

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    head: Head
    calibration: Calibration
    training: dict[str, Any]  # `training` of model.json
    maker: Maker | None  # None where too few families of generators are known


def train(
    data: Path,
    store: Path,
    encoder: Path,
    quantisation: Path,
    out: Path,
    version: str,
    *,
    adapter: Path | None = None,
    options: HeadOptions | None = None,
    progress: Progress = lambda text: None,
) -> None:
    """Write the recipe folder `out`. Everything is chosen out of fold; `open_test` is measured and nothing else."""
    rows = read_index(data)
    spec = FeatureSpec.of(store)
    if spec.adapter_sha256 != (file_sha256(adapter) if adapter else ""):
        raise UsageError(
            f"{store}: its features are of another adapter than {adapter or 'none'}; give it --adapter"
        )
    fitted = fit(rows, store, options or HeadOptions(), progress)
    base = {**clip.BASE, "taps": list(spec.taps)}
    recipe = Recipe(
        "clip",
        version,
        base,
        spec.input,
        spec.crops,
        fitted.head,
        fitted.calibration,
        fitted.training,
        adapter,
        fitted.maker,
    )
    write_recipe(out, recipe, encoder, quantisation)


def fit(rows: Sequence[IndexRow], store: Path, options: HeadOptions, progress: Progress) -> Fitted:
    """The head on the features of `rows` in `store`, calibrated out of fold.

    `open_test` is measured and nothing else. A set without it keeps its split `test` for `evaluate`.
    """
    splits = ("train", "val", "test") if any(row.split == "open_test" for row in rows) else ("train", "val")
    trained = [row for row in rows if row.split in splits]
    training = load_features(store, trained, TRAIN_VARIANTS)
    folds, fold_unit = choose_folds(training, repositories(), options.folds)
    scores = out_of_fold(training, folds, options, progress)
    logits = np.stack([scores / 2, -scores / 2], axis=1).astype(np.float32)
    labels = (~training.is_ai).astype(np.int64)
    calibration = calibrate(
        logits,
        labels,
        fitted_on=f"out-of-fold logits of {options.folds} folds of training {fold_unit}, all degradations",
    )
    head, score = train_head(training, options, progress)
    measured = {
        "out_of_fold": auroc_by_variant(training, scores),
        **measure_test_sets(store, rows, score, calibration),
    }
    facts = {
        "data_id": data_id(rows),
        "splits": list(splits),
        "images": {"train": len(training.cls), "sources": len(np.unique(training.source))},
        "smallest_px": min(max(row.width, row.height) for row in trained),
        "folds_of": fold_unit,
        "recipe": asdict(options),
        "measured": measured,
    }
    tests = _test_sets(rows, store)
    facts["views_alone"] = fit_view_cuts(training, head, tests)
    generators = {row.source: row.generator for row in rows if row.label == "ai"}
    taps = len(FeatureSpec.of(store).taps)
    maker = train_maker(training, tests, generators, repositories(), taps, MakerOptions(), progress)
    return Fitted(head, calibration, facts, maker)


def _test_sets(rows: Sequence[IndexRow], store: Path) -> dict[str, FeatureSet]:
    """Those that are measured, by name; edits apart from them are measured by `measure_test_sets` alone."""
    shown = [row for row in rows if row.split == "open_test" and row.category != EDIT]
    return {
        name: load_features(store, [row for row in shown if row.test_set == name], TEST_VARIANTS)
        for name in sorted({row.test_set for row in shown})
    }


def repositories() -> dict[str, str]:
    from ...data.manifest import load_manifest

    return {entry.id: entry.repo for entry in load_manifest()}
