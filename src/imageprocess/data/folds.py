"""Cross-validation folds in which no source is in two folds.

A head that has seen other images of a source scores the source's remaining images too well, so out-of-fold scores are
computed by models that were trained on none of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .index import CLASS_INDEX, IndexRow

Folds = NDArray[np.int64]
FoldUnit = Literal["sources", "pictures"]


class Labelled(Protocol):
    """Arrays of shape (N,) that describe N images or copies of images, such as a `FeatureSet`."""

    @property
    def is_ai(self) -> NDArray[np.bool_]: ...
    @property
    def source(self) -> NDArray[np.str_]: ...
    @property
    def category(self) -> NDArray[np.str_]: ...
    @property
    def group(self) -> NDArray[np.str_]: ...


def choose_folds(data: Labelled, repositories: Mapping[str, str], folds: int) -> tuple[Folds, FoldUnit]:
    """Folds 0 to `folds` - 1 of each image (N,), and what is kept whole in a fold.

    `repository_folds` if each class has as many sources as folds; otherwise, as for most imported sets,
    `duplicate_group_folds`.
    """
    if all(len(np.unique(data.source[data.is_ai == label])) >= folds for label in (True, False)):
        return repository_folds(data, repositories, folds), "sources"
    return duplicate_group_folds(data, folds), "pictures"


def repository_folds(data: Labelled, repositories: Mapping[str, str], folds: int) -> Folds:
    """(N,) folds 0 to `folds` - 1, stratified by category and class. Sources of one repository share a fold.

    `repositories`: source -> repository; a source that it does not name is its own repository.
    """
    rng = np.random.default_rng(1)
    strata: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for name in np.unique(data.source):
        first = int(np.argmax(data.source == name))
        strata[str(data.category[first]), bool(data.is_ai[first])].append(str(name))
    fold_of: dict[str, int] = {}
    by_repository: dict[str, int] = {}
    for key in sorted(strata):
        for name in rng.permutation(strata[key]):
            fold_of[name] = by_repository.setdefault(repositories.get(name, name), len(fold_of) % folds)
    return np.array([fold_of[name] for name in data.source])


def duplicate_group_folds(data: Labelled, folds: int) -> Folds:
    """(N,) folds 0 to `folds` - 1, stratified by class. Near-duplicates (one `group`) share a fold."""
    rng = np.random.default_rng(1)
    fold_of: dict[str, int] = {}
    for label in (True, False):
        for name in rng.permutation(np.unique(data.group[data.is_ai == label])):
            fold_of.setdefault(str(name), len(fold_of) % folds)
    return np.array([fold_of[name] for name in data.group])


def family_folds(
    source: NDArray[np.str_], family: NDArray[np.int64], repositories: Mapping[str, str], folds: int
) -> Folds:
    """(N,) folds 0 to `folds` - 1, stratified by generator family. Sources of one repository share a fold."""
    rng = np.random.default_rng(1)
    fold_of: dict[str, int] = {}
    by_repository: dict[str, int] = {}
    for number in np.unique(family):
        names = [str(name) for name in np.unique(source[family == number])]
        for place, name in enumerate(rng.permutation(names)):
            fold_of[name] = by_repository.setdefault(repositories.get(name, name), place % folds)
    return np.array([fold_of[str(name)] for name in source])


def stratified_source_folds(rows: Sequence[IndexRow], folds: int, *, seed: int) -> NDArray[np.intp]:
    """(N,) folds 1 to `folds` of index rows, by scikit-learn's StratifiedGroupKFold: each fold has its share of the
    images of both classes and of every category, which `repository_folds` balances by number of sources instead.

    If all real portraits are in one fold, a model trained on the other folds calls every real portrait AI-generated,
    and the calibration inherits this error. Raises DataError if a class has fewer sources than folds.
    """
    if any(len({row.source for row in rows if row.label == label}) < folds for label in CLASS_INDEX):
        raise DataError(
            f"{folds} folds of sources need at least {folds} sources of each class; `data import` makes each folder "
            "below ai and real a source; or use fewer folds"
        )
    from sklearn.model_selection import StratifiedGroupKFold

    strata = np.array([f"{row.label} {row.category}" for row in rows])
    sources = [row.source for row in rows]
    fold_of_row = np.zeros(len(rows), dtype=np.intp)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for number, (_, members) in enumerate(splitter.split(strata, strata, sources), start=1):
        fold_of_row[members] = number
    return fold_of_row
