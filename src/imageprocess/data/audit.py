"""Measures whether metadata features alone (format, size, quality) separate AI images from real ones.

Gradient-boosted trees are fitted twice: on the original files, and on the files that the equalisation of the training
pipeline makes of the same images. If the second AUROC exceeds MAX_AUROC, a model trained on the set may learn file
properties instead of image content.

Two kinds of folds are measured. Random folds decide: validation and test contain the same sources as training
does, so facts that identify a source identify its label too, and a model is rewarded
for using them; random folds measure all of this. Folds by source, where no source is in training and test at
once, are reported as well: they show how much of the leak transfers to new sources.

The size in bytes of a file that we encoded ourselves, at dimensions and quality of our choice, depends on the detail of
the image. It is one of the features in the decision; the result without it is reported as well.

The equalised files are also measured within each category, so that a leak in one category is not hidden in
the total; this decides too, without the size in bytes: in one category the classes may really differ in detail (charts
and logos against illustrations), and what is left of a file that we made ourselves says how it was made alone. The
result with it is a warning. A category has fewer images, so its limit is MAX_AUROC or two standard errors above chance,
whichever is larger.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..decode import decode
from ..errors import DataError, InputError, MissingExtraError
from .equalise import equalise, picture_seed
from .facts import FileFacts, read_facts
from .index import IndexRow

MAX_AUROC = 0.55
DEFAULT_SAMPLE = 4000
_FOLDS = 5
_MIN_IMAGES = 25  # images per class; too few for five folds below this
_MIN_IMAGES_OF_CATEGORY = 50
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIC", "GIF", "BMP", "TIFF")
_SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
_MODES = ("RGB", "L", "P", "RGBA", "LA", "CMYK")

Progress = Callable[[int, int], None]  # done, of


@dataclass(frozen=True, slots=True)
class Leak:
    """How well metadata features alone separate the classes: AUROC 0.5 is chance, 1.0 perfect separation."""

    auroc: float  # mean over random folds
    auroc_by_source: float | None  # None if a class has fewer than two sources
    importance: dict[str, float]  # feature -> AUROC lost when it is shuffled, largest first; random folds


@dataclass(frozen=True, slots=True)
class CategoryLeak:
    """The leak within one category, after equalisation."""

    pictures: int  # sampled, half of each class
    auroc: float  # random folds
    auroc_without_bytes: float  # the same without the size in bytes; this one decides

    @property
    def limit(self) -> float:
        return max(MAX_AUROC, 0.5 + 2 * _standard_error(self.pictures))

    @property
    def passed(self) -> bool:
        return self.auroc_without_bytes <= self.limit

    @property
    def differs_in_detail(self) -> bool:
        return self.auroc > self.limit


@dataclass(frozen=True, slots=True)
class AuditReport:
    pictures: int  # sampled, half of each class
    standard_error: float  # of an AUROC of 0.5 on so many pictures
    raw: Leak
    equalised: Leak
    equalised_without_bytes: Leak
    by_category: dict[str, CategoryLeak]  # of categories with enough pictures of both classes

    @property
    def passed(self) -> bool:
        return self.equalised.auroc <= MAX_AUROC and all(leak.passed for leak in self.by_category.values())


def audit(
    folder: Path,
    rows: Sequence[IndexRow],
    *,
    sample: int = DEFAULT_SAMPLE,
    jobs: int = 2,
    seed: int = 0,
    progress: Progress = lambda done, of: None,
) -> AuditReport:
    """Audit the images that models are trained and selected on: all but open_test, at most `sample` of them.

    Raises DataError if a class has too few images or an image cannot be read, MissingExtraError without
    scikit-learn.
    """
    if find_spec("sklearn") is None:
        raise MissingExtraError("scikit-learn", "data")
    chosen = _sample(rows, sample, seed)
    raw: list[list[float]] = []
    equalised: list[list[float]] = []
    # Hide Pillow's warnings about large images and odd metadata.
    with ProcessPoolExecutor(jobs, initializer=warnings.simplefilter, initargs=("ignore",)) as pool:
        for done, pair in enumerate(pool.map(_measure, [folder] * len(chosen), chosen, chunksize=8), start=1):
            raw.append(pair[0])
            equalised.append(pair[1])
            progress(done, len(chosen))
    facts = np.array(equalised)
    is_ai = np.array([row.label == "ai" for row in chosen])
    sources = np.array([row.source for row in chosen])
    return AuditReport(
        pictures=len(chosen),
        standard_error=_standard_error(len(chosen)),
        raw=_leak(np.array(raw), is_ai, sources, seed),
        equalised=_leak(facts, is_ai, sources, seed),
        equalised_without_bytes=_leak(_without_bytes(facts), is_ai, sources, seed),
        by_category=_by_category(facts, is_ai, np.array([row.category for row in chosen]), seed),
    )


def _standard_error(pictures: int) -> float:
    """Standard error of an AUROC of 0.5 with half of the images in each class (Mann and Whitney 1947)."""
    each = pictures // 2
    return math.sqrt((2 * each + 1) / (12 * each * each))


def _by_category(
    features: NDArray[np.float64], is_ai: NDArray[np.bool_], categories: NDArray[np.str_], seed: int
) -> dict[str, CategoryLeak]:
    """An equal number of sampled images of each class; the sample is already in random order."""
    leaks = {}
    for category in sorted(set(categories.tolist())):
        classes = [np.flatnonzero((categories == category) & (is_ai == label)) for label in (True, False)]
        each = min(map(len, classes))
        if each >= _MIN_IMAGES_OF_CATEGORY:
            members = np.sort(np.concatenate([numbers[:each] for numbers in classes]))
            facts, labels = features[members], is_ai[members]
            leaks[category] = CategoryLeak(
                2 * each,
                _auroc_by_folds(facts, labels, seed),
                _auroc_by_folds(_without_bytes(facts), labels, seed),
            )
    return leaks


def _without_bytes(features: NDArray[np.float64]) -> NDArray[np.float64]:
    features = features.copy()
    features[:, [FEATURES.index("bytes"), FEATURES.index("bytes per pixel")]] = math.nan
    return features


def _auroc_by_folds(features: NDArray[np.float64], is_ai: NDArray[np.bool_], seed: int) -> float:
    """Mean over random folds."""
    features = _filled(features)
    trees = _fitted(features, is_ai, seed)
    return float(np.mean([_auroc(tree, features, is_ai, test) for tree, test in trees]))


def _sample(rows: Sequence[IndexRow], sample: int, seed: int) -> list[IndexRow]:
    """An equal number of each class, in a seeded order."""
    rng = np.random.default_rng(seed)
    inside = [row for row in rows if row.split != "open_test"]
    classes = [[row for row in inside if row.label == label] for label in ("ai", "real")]
    each = min(sample // 2, *map(len, classes))
    if each < _MIN_IMAGES:
        raise DataError(
            f"an audit needs at least {_MIN_IMAGES} images of each class outside open_test; "
            f"the sample is limited to {sample}, and there are {len(classes[0])} ai and {len(classes[1])} real"
        )
    chosen = [members[i] for members in classes for i in rng.choice(len(members), each, replace=False)]
    return [chosen[i] for i in rng.permutation(len(chosen))]


def _measure(folder: Path, row: IndexRow) -> tuple[list[float], list[float]]:
    """The features of one image as it is, and after equalisation. Runs in a worker process."""
    try:
        data = (folder / row.path).read_bytes()
        equalised = equalise(decode(data, name=row.path).pixels, picture_seed(row.sha256)).data
        return to_features(read_facts(data, name=row.path)), to_features(read_facts(equalised, name=row.path))
    except OSError as error:
        raise DataError(
            f"{folder / row.path}: listed in the index but cannot be read ({error.strerror})"
        ) from error
    except InputError as error:
        raise DataError(f"{folder}: {error}; build or import the set again") from error


FEATURES = (
    "format", "bytes", "width", "height", "aspect", "bytes per pixel", "colour mode", "JPEG luma table mean",
    "JPEG quality", "JPEG subsampling", "progressive", "has EXIF", "has XMP", "has ICC", "has text",
)  # fmt: skip


def to_features(facts: FileFacts) -> list[float]:
    """The facts in the order of FEATURES; nan for missing ones."""
    missing = math.nan
    return [
        _number(facts.format, _FORMATS),
        facts.bytes,
        facts.width,
        facts.height,
        facts.aspect,
        facts.bytes_per_pixel,
        _number(facts.mode, _MODES),
        missing if facts.jpeg_luma_mean is None else facts.jpeg_luma_mean,
        missing if facts.jpeg_quality is None else facts.jpeg_quality,
        missing if facts.jpeg_subsampling is None else _number(facts.jpeg_subsampling, _SUBSAMPLINGS),
        facts.progressive,
        facts.has_exif,
        facts.has_xmp,
        facts.has_icc,
        facts.has_text,
    ]


def _number(value: str, known: tuple[str, ...]) -> int:
    return known.index(value) if value in known else len(known)


def _leak(
    features: NDArray[np.float64], is_ai: NDArray[np.bool_], sources: NDArray[np.str_], seed: int
) -> Leak:
    """features (N, F), is_ai (N,), sources (N,) -> the out-of-fold leak of a tree model."""
    from sklearn.model_selection import StratifiedGroupKFold

    features = _filled(features)
    trees = _fitted(features, is_ai, seed)
    auroc = np.mean([_auroc(tree, features, is_ai, test) for tree, test in trees])
    lost = np.mean([_importance(tree, features, is_ai, test, seed) for tree, test in trees], axis=0)  # (F,)
    ranked = sorted(zip(FEATURES, lost.tolist(), strict=True), key=lambda pair: -pair[1])
    by_source = []
    most = min(len(set(sources[is_ai == label])) for label in (True, False))
    if most >= 2:
        grouped = StratifiedGroupKFold(min(_FOLDS, most), shuffle=True, random_state=seed)
        for train, test in grouped.split(features, is_ai, sources):
            if len(set(is_ai[train])) == len(set(is_ai[test])) == 2:
                by_source.append(_auroc(_fit(features, is_ai, train, seed), features, is_ai, test))
    return Leak(float(auroc), float(np.mean(by_source)) if by_source else None, dict(ranked))


def _filled(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replace nan by -1: scikit-learn cannot bin a column that is all nan (a set of PNGs has no JPEG facts)."""
    return np.nan_to_num(features, nan=-1.0)


def _fitted(
    features: NDArray[np.float64], is_ai: NDArray[np.bool_], seed: int
) -> list[tuple[Any, NDArray[np.intp]]]:
    """[(tree model, held-out images of its fold)]"""
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(features, is_ai)
    return [(_fit(features, is_ai, train, seed), test) for train, test in folds]


def _fit(features: NDArray[np.float64], is_ai: NDArray[np.bool_], train: NDArray[np.intp], seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_leaf_nodes=15, random_state=seed).fit(
        features[train], is_ai[train]
    )


def _auroc(
    tree: Any, features: NDArray[np.float64], is_ai: NDArray[np.bool_], test: NDArray[np.intp]
) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(is_ai[test], tree.predict_proba(features[test])[:, 1]))


def _importance(
    tree: Any, features: NDArray[np.float64], is_ai: NDArray[np.bool_], test: NDArray[np.intp], seed: int
) -> NDArray[np.float64]:
    """(F,) permutation importance on the test fold: AUROC lost, mean of five shuffles."""
    from sklearn.inspection import permutation_importance

    lost = permutation_importance(
        tree, features[test], is_ai[test], scoring="roc_auc", n_repeats=5, random_state=seed
    )
    return np.asarray(lost.importances_mean)
