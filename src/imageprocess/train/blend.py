"""Opinions of one picture, blended: those of trained networks, and of a forest over statistics of texture and colour.

A network has found its own filters and sees what is where; the forest is told what a picture's texture is like and
needs few pictures to learn from it. They err on different pictures, so the weighted sum of their log odds beats any.

Calibration is for sources never seen. On held-out pictures of the sources of training every model is too sure of
itself; so the forest is grown again without each fold of sources in turn, and what it says of those tells how much
surer than right it is. Where there is the time, the networks are trained again without each fold too: then how the
opinions are weighed is for sources never seen as well, and a network that has learnt its sources by heart weighs less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from ..data.equalise import VERSION
from ..data.index import IndexRow, data_id, read_index, rows_id
from ..errors import UsageError
from .calibration import Calibration, fit_log_odds, fit_temperature, modes_thresholds, probabilities
from .dataset import (
    Pictures,
    count_splits,
    group_folds,
    has_sources,
    need_both_classes,
    smallest_px,
    source_folds,
    source_weights,
    split_for_training,
    to_input,
)
from .devices import keep_memory
from .forest import Forest, Growth, grow
from .loop import Progress as Step
from .loop import train
from .nets import CNN_INPUT, Blend, Network
from .nets.blend import odds_of, to_unit
from .recipes import Recipe
from .statistics import Statistics
from .store import fill_store, keep_deliveries
from .twins import Twin, without

# Pictures whose statistics are worked out at once: more no longer fit a core's cache, and take longer.
_CHUNK = 8
_VARIED = 0.5  # share of the pictures without colour, and share on a page, where they are varied

Progress = Callable[[str, int, int], None]  # what, done, of


@dataclass(frozen=True, slots=True)
class BlendRecipe:
    """What decides the result of a run."""

    net: str = "blend"
    deliveries: int = 3  # of each training picture
    # So many of them are shown to the forest once more, half of those pictures without colour, half on a page.
    varied: int = 1
    growth: Growth = field(default_factory=Growth)
    folds: int = 4  # of sources, for the calibration
    # By which the networks are trained again without each fold, where they have no twins that were; (): they are not.
    blind: tuple[Recipe, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class BlendResult:
    recipe: BlendRecipe
    network: Blend
    calibration: Calibration
    measured: dict[str, float]
    data_id: str
    images: dict[str, int]  # split -> pictures
    smallest_px: int  # the longer side of the smallest picture trained on


def train_blend(
    data: Path,
    out: Path,
    networks: Sequence[Network],
    recipe: BlendRecipe | None = None,
    *,
    twins: Sequence[Sequence[Twin]] = (),
    workers: int = 2,
    resized: bool = False,
    rows: list[IndexRow] | None = None,
    progress: Progress = lambda what, done, of: None,
) -> BlendResult:
    """Grow the forest on the train split of `data`, weigh it against `networks`, calibrate.

    They are weighed on the sources that none has seen where the recipe says how to train the networks again without
    them (`blind`), else on the val split. The statistics and the networks trained again are kept in `out` and read
    from there when a run begins anew. `twins`, where any: of each network those that were trained with it, instead of
    training it again. `rows` narrows the index; `resized` is `train`'s. Raises DataError without a train and a val
    split.
    """
    recipe = recipe or BlendRecipe()
    if recipe.blind and len(recipe.blind) != len(networks):
        raise UsageError(f"{len(networks)} networks, but {len(recipe.blind)} recipes to train them again by")
    rows = rows if rows is not None else read_index(data)
    training, validation = split_for_training(data, rows)
    for split in (training, validation):
        need_both_classes(data, split)
    # A folder of one's own may have no sources; networks are trained again without a fold of sources alone.
    unit = "sources" if recipe.blind or has_sources(training, recipe.folds) else "groups"
    folds = (source_folds if unit == "sources" else group_folds)(training, recipe.folds, seed=recipe.seed)
    fill_store(
        data, training, validation, deliveries=recipe.deliveries, jobs=max(1, workers),
        progress=lambda done, of: progress("preparing pictures", done, of),
    )  # fmt: skip
    if resized:
        deliveries = max([recipe.deliveries, *(each.deliveries for each in recipe.blind)])
        keep_deliveries(
            data, training, validation, CNN_INPUT, deliveries=deliveries, jobs=max(1, workers),
            progress=lambda done, of: progress("keeping pictures", done, of),
        )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    keep_memory()
    # A change of how pictures are delivered or described makes what was stored before another thing.
    stored = out / f"statistics-{rows_id(training + validation)}-{VERSION}.{Statistics.VERSION}"
    shown = Pictures(data, validation, CNN_INPUT, resized=resized)

    def shown_in(epoch: int, varied: float = 0.0) -> Pictures:
        # Not mirrored: the statistics hardly change with it.
        pictures = Pictures(
            data, training, CNN_INPUT, deliveries=recipe.deliveries, mirrored=False, resized=resized,
            grey_share=varied, page_share=varied,
        )  # fmt: skip
        pictures.set_epoch(epoch)
        return pictures

    val = _statistics(shown, stored, workers, progress)
    each_time = [shown_in(epoch) for epoch in range(recipe.deliveries)]
    each_time += [shown_in(epoch, _VARIED) for epoch in range(recipe.varied)]
    trained = np.concatenate([_statistics(pictures, stored, workers, progress) for pictures in each_time])
    is_ai = np.array([row.label == "ai" for row in training])
    val_is_ai = np.array([row.label == "ai" for row in validation])

    forest, unseen = _grow_or_read(stored, trained, training, folds, recipe, workers, progress)
    val_forest = forest(torch.from_numpy(val)).numpy().astype(np.float64)
    opinions = np.stack([*(_ask(network, shown, workers) for network in networks), val_forest], axis=1)
    names = [*(type(network).__name__.lower() for network in networks), "forest"]
    measured = {
        f"val_auroc_{name}": _auroc(val_is_ai, odds) for name, odds in zip(names, opinions.T, strict=True)
    }
    if recipe.blind:
        blind = _blind_opinions(data, out, rows, training, folds, recipe, twins, workers, resized, progress)
        opinions_unseen = np.column_stack([blind, unseen])
        *weights, bias = fit_log_odds(opinions_unseen, is_ai).tolist()
        blended_unseen = opinions_unseen @ weights
        temperature = 1.0  # what was fitted is what is used
        measured |= {
            f"unseen_{unit}_auroc_{name}": _auroc(is_ai, odds)
            for name, odds in zip(names, opinions_unseen.T, strict=True)
        }
        measured[f"unseen_{unit}_auroc_blend"] = _auroc(is_ai, blended_unseen)
    else:
        weights = fit_log_odds(opinions, val_is_ai)[:-1].tolist()  # without the bias
        temperature_unseen, bias = fit_temperature(unseen, is_ai)
        temperature_seen, _ = fit_temperature(val_forest, val_is_ai)
        # The blend is as much surer than right on unseen sources as its forest is.
        blended_unseen, temperature = unseen / temperature_unseen, temperature_unseen / temperature_seen
        measured[f"unseen_{unit}_auroc_forest"] = _auroc(is_ai, unseen)
    calibration = Calibration(
        temperature=temperature,
        bias=bias,
        thresholds=modes_thresholds(probabilities(blended_unseen, 1, bias), is_ai),
        fitted_on=f"the equalised train split, {recipe.folds} folds of {unit} unseen by "
        + ("every member" if recipe.blind else "the forest"),
    )
    blended = opinions @ weights
    measured |= {
        "val_auroc_blend": _auroc(val_is_ai, blended),
        "val_accuracy_blend": float(((blended / calibration.temperature + bias > 0) == val_is_ai).mean()),
        **{f"weight_{name}": float(weight) for name, weight in zip(names, weights, strict=True)},
    }
    network = Blend(networks, forest, weights).eval()
    return BlendResult(
        recipe, network, calibration, measured, data_id(rows), count_splits(rows), smallest_px(rows)
    )


def _grow_or_read(
    stored: Path,
    columns: NDArray[np.float32],
    training: list[IndexRow],
    folds: NDArray[np.intp],
    recipe: BlendRecipe,
    workers: int,
    progress: Progress,
) -> tuple[Forest, NDArray[np.float64]]:
    """-> the forest, and what forests grown without a picture's source say of each training picture: (N,) log odds.

    columns (times shown x N, F). Those that measure are grown as the forest itself is, but for the sources left out:
    one that has been shown less is surer of itself than it may be, and its thresholds are too wide for the other.
    """
    path = stored.with_name(f"{stored.name}-forest.pt")
    grown_by = asdict(replace(recipe, blind=()))
    if path.exists():
        kept = torch.load(path, weights_only=True)
        if kept["recipe"] == grown_by and np.array_equal(kept["folds"], folds):
            return Forest(kept["tables"], recipe.growth.depth), kept["unseen"].numpy()
    count = len(training)
    is_ai = np.array([row.label == "ai" for row in training])
    weights = source_weights(training)
    times = columns.reshape(-1, count, columns.shape[1])

    def grown_on(places: NDArray[np.intp] | slice) -> Forest:
        return grow(
            times[:, places].reshape(-1, columns.shape[1]),
            np.tile(is_ai[places], len(times)),
            np.tile(weights[places], len(times)),
            recipe.growth,
            seed=recipe.seed,
            threads=max(1, workers),
        )

    progress("growing the forest", 0, recipe.folds + 1)
    forest = grown_on(slice(None))
    unseen = np.zeros(count)
    for number in range(1, recipe.folds + 1):
        progress("growing the forest", number, recipe.folds + 1)
        fold = np.flatnonzero(folds == number)
        unseen[fold] = grown_on(np.flatnonzero(folds != number))(torch.from_numpy(columns[fold])).numpy()
    part = path.with_name(path.name + ".part")
    told = {"recipe": grown_by, "folds": torch.from_numpy(folds), "unseen": torch.from_numpy(unseen)}
    torch.save({**told, "tables": forest.state_dict()}, part)
    part.replace(path)
    return forest, unseen


def _blind_opinions(
    data: Path,
    out: Path,
    rows: list[IndexRow],
    training: list[IndexRow],
    folds: NDArray[np.intp],
    recipe: BlendRecipe,
    twins: Sequence[Sequence[Twin]],
    workers: int,
    resized: bool,
    progress: Progress,
) -> NDArray[np.float64]:
    """(N, networks): what networks trained without a picture's source say of each training picture, in log odds."""
    opinions = np.zeros((len(training), len(recipe.blind)))
    for number in range(1, recipe.folds + 1):
        fold = np.flatnonzero(folds == number)
        unseen = [training[i] for i in fold]
        left_out = frozenset(row.source for row in unseen)
        shown = Pictures(data, unseen, CNN_INPUT, deliveries=1, mirrored=False, resized=resized)
        for place, each in enumerate(recipe.blind):
            what = f"{each.net} without fold {number} of {recipe.folds}"
            if twins and twins[place]:
                network = without(left_out, twins[place], each.net)
            else:
                others = [row for row in rows if row.source not in left_out]
                run = out / f"without-{number}-of-{recipe.folds}-{each.net}-{rows_id(others)}"
                network = train(
                    data, run, replace(each, folds=0),
                    resume=(run / "last.ckpt").exists(), workers=workers, resized=resized, rows=others,
                    report=_saying(what, progress),
                ).network  # fmt: skip
            opinions[fold, place] = _ask(network, shown, workers)
            progress(what, len(unseen), len(unseen))
    return opinions


def _saying(what: str, progress: Progress) -> Callable[[Step], None]:
    return lambda at: progress(f"{what}, epoch {at.epoch + 1}", at.step, at.steps)


def _statistics(pictures: Pictures, stored: Path, workers: int, progress: Progress) -> NDArray[np.float32]:
    """(N, Statistics.COUNT), from `stored` where they have been worked out before."""
    which = f"{pictures.delivery}{'-varied' if pictures.page_share else ''}"
    path = stored.with_name(f"{stored.name}-{which}.npy")
    if path.exists():
        return np.asarray(np.load(path))
    front = Statistics()
    found = np.empty((len(pictures), Statistics.COUNT), dtype=np.float32)
    done = 0
    with torch.inference_mode():
        for pixels, _ in DataLoader(pictures, batch_size=_CHUNK, num_workers=workers):
            found[done : done + len(pixels)] = front(to_unit(to_input(pixels, CNN_INPUT))).numpy()
            done += len(pixels)
            progress(f"statistics, delivery {which}", done, len(pictures))
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        np.save(stream, found)
    part.replace(path)
    return found


def _ask(network: Network, pictures: Pictures, workers: int) -> NDArray[np.float64]:
    """(N,) log odds of being an AI's."""
    network.eval()
    with torch.inference_mode():
        found = [
            odds_of(network(to_input(pixels, CNN_INPUT)))
            for pixels, _ in DataLoader(pictures, batch_size=_CHUNK, num_workers=workers)
        ]
    return np.asarray(torch.cat(found).numpy(), dtype=np.float64)


def _auroc(is_ai: NDArray[np.bool_], odds: NDArray[np.float64]) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(is_ai, odds))
