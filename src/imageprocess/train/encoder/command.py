"""From a feature store to a head: folds, training, calibration, measurements; and the recipe folder of `clip`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...data.categories import EDIT
from ...data.folds import choose_folds
from ...data.index import IndexRow, data_id, read_index, smallest_px
from ...data.manifest import repositories
from ...errors import UsageError
from ...model.base.head import Head
from ...model.registry import file_sha256
from ..calibration import Calibration, calibrate_difference
from . import clip
from .features import TEST_VARIANTS, TRAIN_VARIANTS, FeatureSet, FeatureSpec, load_features
from .head import HeadOptions, out_of_fold, train_head
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
    maker: Maker | None  # None if too few generator families are known


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
    """Write the recipe folder `out` of the model `clip`.

    Raises UsageError if `adapter` is not the one whose features `store` contains.
    """
    rows = read_index(data)
    spec = FeatureSpec.of(store)
    if spec.adapter_sha256 != (file_sha256(adapter) if adapter else ""):
        raise UsageError(
            f"{store}: its features were extracted with another adapter than {adapter or 'none'}; pass that one as "
            "--adapter, or extract the features again"
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
    """Train the head on the features of `rows` in `store` and calibrate it out of fold.

    Images of open_test are only measured. If there are none, the split `test` is left out of training, for `evaluate`.
    """
    splits = ("train", "val", "test") if any(row.split == "open_test" for row in rows) else ("train", "val")
    training_rows = [row for row in rows if row.split in splits]
    training = load_features(store, training_rows, TRAIN_VARIANTS)
    folds, fold_unit = choose_folds(training, repositories(), options.folds)
    scores = out_of_fold(training, folds, options, progress)
    calibration = calibrate_difference(
        scores,
        training.is_ai,
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
        "smallest_px": smallest_px(training_rows),
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
    """{test set: features} of open_test without edits, of which only `measure_test_sets` reports."""
    test_rows = [row for row in rows if row.split == "open_test" and row.category != EDIT]
    return {
        name: load_features(store, [row for row in test_rows if row.test_set == name], TEST_VARIANTS)
        for name in sorted({row.test_set for row in test_rows})
    }
