"""Could a model cheat? A small tree model is given file facts alone and asked which pictures are an AI's.

It is asked twice: of the files as they are, and of the files that the training pipeline's equalisation makes
of the same pictures. Where the second AUROC is above MAX_AUROC, a network trained on the set may learn files,
not pictures.

Two kinds of folds are measured. Random folds gate: validation and test hold the same sources as training
does, so whatever the facts give away of a source they give away of its label too, and a network is rewarded
for using it; random folds measure all of that. Folds by source, where no source lies in training and test at
once, are reported beside them: they say how much of the leak would carry over to sources never seen.

The same is asked of the equalised files within each category, so that a category whose classes differ does not hide in
the whole; it gates, too. A category has fewer pictures, so its limit is MAX_AUROC or two standard errors above chance,
whichever is more.

The bytes of a file that we have encoded ourselves, at a size and quality of our choice, are set by how much detail the
picture shows: they are counted as a file fact, and gate, but what is left without them is reported, too.
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
_LEAST = 25  # pictures a class; below, five folds say nothing
_LEAST_OF_CATEGORY = 50
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIC", "GIF", "BMP", "TIFF")
_SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
_MODES = ("RGB", "L", "P", "RGBA", "LA", "CMYK")

Progress = Callable[[int, int], None]  # done, of


@dataclass(frozen=True, slots=True)
class Leak:
    """How well file facts alone tell the classes apart: 0.5 is not at all, 1.0 always."""

    auroc: float  # random folds, mean of them
    auroc_by_source: float | None  # None where a class has fewer than two sources
    importance: dict[str, float]  # fact -> AUROC lost when it is shuffled, largest first; random folds


@dataclass(frozen=True, slots=True)
class CategoryLeak:
    """Of one category, after equalisation."""

    pictures: int  # sampled, half of each class
    auroc: float  # random folds

    @property
    def limit(self) -> float:
        return max(MAX_AUROC, 0.5 + 2 * _standard_error(self.pictures))

    @property
    def passed(self) -> bool:
        return self.auroc <= self.limit


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
    """Audit the pictures that a model is trained and chosen on: all but open_test, `sample` of them at most.

    Raises DataError where a class has too few pictures or a picture cannot be read, MissingExtraError without
    scikit-learn.
    """
    if find_spec("sklearn") is None:
        raise MissingExtraError("scikit-learn", "data")
    chosen = _sample(rows, sample, seed)
    raw: list[list[float]] = []
    equalised: list[list[float]] = []
    # Pillow's warnings of large pictures and odd metadata would drown the report.
    with ProcessPoolExecutor(jobs, initializer=warnings.simplefilter, initargs=("ignore",)) as pool:
        for done, pair in enumerate(pool.map(_measure, [folder] * len(chosen), chosen, chunksize=8), start=1):
            raw.append(pair[0])
            equalised.append(pair[1])
            progress(done, len(chosen))
    is_ai = np.array([row.label == "ai" for row in chosen])
    sources = np.array([row.source for row in chosen])
    without_bytes = np.array(equalised)
    without_bytes[:, [FEATURES.index("bytes"), FEATURES.index("bytes per pixel")]] = math.nan
    return AuditReport(
        pictures=len(chosen),
        standard_error=_standard_error(len(chosen)),
        raw=_leak(np.array(raw), is_ai, sources, seed),
        equalised=_leak(np.array(equalised), is_ai, sources, seed),
        equalised_without_bytes=_leak(without_bytes, is_ai, sources, seed),
        by_category=_by_category(
            np.array(equalised), is_ai, np.array([row.category for row in chosen]), seed
        ),
    )


def _standard_error(pictures: int) -> float:
    """Of an AUROC of 0.5, half of the pictures of each class (Mann and Whitney 1947)."""
    each = pictures // 2
    return math.sqrt((2 * each + 1) / (12 * each * each))


def _by_category(
    features: NDArray[np.float64], is_ai: NDArray[np.bool_], shown: NDArray[np.str_], seed: int
) -> dict[str, CategoryLeak]:
    """Of the sampled pictures, as many of either class; the first ones, which are in random order already."""
    found = {}
    for category in sorted(set(shown.tolist())):
        classes = [np.flatnonzero((shown == category) & (is_ai == label)) for label in (True, False)]
        each = min(map(len, classes))
        if each >= _LEAST_OF_CATEGORY:
            members = np.sort(np.concatenate([numbers[:each] for numbers in classes]))
            facts, labels = _filled(features[members]), is_ai[members]
            trees = _fitted(facts, labels, seed)
            auroc = np.mean([_auroc(tree, facts, labels, test) for tree, test in trees])
            found[category] = CategoryLeak(2 * each, float(auroc))
    return found


def _sample(rows: Sequence[IndexRow], sample: int, seed: int) -> list[IndexRow]:
    """As many of either class, in a seeded order."""
    rng = np.random.default_rng(seed)
    inside = [row for row in rows if row.split != "open_test"]
    classes = [[row for row in inside if row.label == label] for label in ("ai", "real")]
    each = min(sample // 2, *map(len, classes))
    if each < _LEAST:
        raise DataError(
            f"an audit needs at least {_LEAST} pictures of each class outside open_test; "
            f"asked for {sample} in all, there are {len(classes[0])} ai and {len(classes[1])} real"
        )
    chosen = [members[i] for members in classes for i in rng.choice(len(members), each, replace=False)]
    return [chosen[i] for i in rng.permutation(len(chosen))]


def _measure(folder: Path, row: IndexRow) -> tuple[list[float], list[float]]:
    """One picture -> its features as it is, and after equalisation. Runs in a worker process."""
    try:
        data = (folder / row.path).read_bytes()
        delivered = equalise(decode(data, name=row.path).pixels, picture_seed(row.sha256)).data
        return to_features(read_facts(data, name=row.path)), to_features(read_facts(delivered, name=row.path))
    except OSError as error:
        raise DataError(
            f"{folder / row.path}: is in the index but cannot be read ({error.strerror})"
        ) from error
    except InputError as error:
        raise DataError(f"{folder}: {error}; build or import the set again") from error


FEATURES = (
    "format", "bytes", "width", "height", "aspect", "bytes per pixel", "colour mode", "JPEG luma table mean",
    "JPEG quality", "JPEG subsampling", "progressive", "has EXIF", "has XMP", "has ICC", "has text",
)  # fmt: skip


def to_features(facts: FileFacts) -> list[float]:
    """In the order of FEATURES; nan where a fact does not exist."""
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
    """features (N, F), is_ai (N,), sources (N,) -> what a tree model makes of them out of fold."""
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
    """scikit-learn cannot bin a column of nothing but nan (a set of PNGs has no JPEG facts); no fact is negative."""
    return np.nan_to_num(features, nan=-1.0)


def _fitted(
    features: NDArray[np.float64], is_ai: NDArray[np.bool_], seed: int
) -> list[tuple[Any, NDArray[np.intp]]]:
    """[(tree model, the pictures of the fold that it was not fitted on)]"""
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
    """(F,) AUROC lost on the test fold when a feature is shuffled there: mean of five shuffles."""
    from sklearn.inspection import permutation_importance

    lost = permutation_importance(
        tree, features[test], is_ai[test], scoring="roc_auc", n_repeats=5, random_state=seed
    )
    return np.asarray(lost.importances_mean)
