"""Train the maker head, which classifies AI images by generator family, on the features that the head is trained on.

Families with too few training sources are merged into "other", which is never named; sources of several families are
left out. The temperature and the probability above which a family is named are fitted on out-of-fold logits, with folds
of whole sources stratified by family.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...data.categories import GENERATORS
from ...data.folds import family_folds
from ...data.sampling import group_balanced_weights, source_weights
from ...model.base.maker import Linear8, MakerHead
from ...model.nearest import TrainingSources
from .features import FeatureSet
from .head import make_optimiser
from .maker_measure import measure_maker, named_from, temperature_of
from .neighbours import fit_embedding

OTHER, SEVERAL = "other", "mixed"  # of data.categories.GENERATORS
_TAPS_USED = 3  # number of tapped blocks in the input of the maker head
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class MakerOptions:
    hidden: int = 48
    steps: int = 400
    batch_size: int = 256
    learning_rate: float = 3e-3  # peak of the one-cycle schedule
    weight_decay: float = 0.05
    dropout: float = 0.5
    feature_dropout: float = 0.2
    mixup: float = 0.3  # Beta(a, a)
    label_smoothing: float = 0.1
    source_power: float = 0.5  # of `data.sampling.group_balanced_weights`
    family_power: float = 0.5  # likewise, over families
    folds: int = 4
    least_sources: int = 4  # minimum number of training sources of a family that is not merged into "other"
    precision: float = 0.8  # minimum share of correctly named families, out of fold


@dataclass(frozen=True, slots=True, eq=False)
class Maker:
    """A trained maker head and what a model folder stores with it."""

    head: MakerHead
    sources: TrainingSources
    facts: dict[str, Any]  # `maker` of model.json


@dataclass(frozen=True, slots=True, eq=False)
class _Examples:
    features: torch.Tensor  # (N, 2 * slots * width) float32
    family: NDArray[np.int64]  # (N,) index into the families
    source: NDArray[np.str_]

    def subset(self, mask: NDArray[np.bool_]) -> _Examples:
        return _Examples(self.features[mask], self.family[mask], self.source[mask])


def train_maker(
    data: FeatureSet,
    tests: Mapping[str, FeatureSet],
    generators: Mapping[str, str],
    repositories: Mapping[str, str],
    taps: int,
    options: MakerOptions,
    progress: Progress = lambda text: None,
) -> Maker | None:
    """Train on `data`, measure on `tests` (name -> features). None if fewer than two families have enough sources.

    `generators`: source -> family; `repositories`: source -> repository; `taps`: number of tapped blocks in `data`.
    """
    families = choose_families(data, generators, options.least_sources)
    if len(families) < 3:  # two and "other"
        return None
    slots = _slots(taps)
    examples = _examples(data, generators, families, slots, taps)
    folds = family_folds(examples.source, examples.family, repositories, options.folds)
    logits = _out_of_fold_logits(examples, folds, len(families), options, progress)
    progress("maker: all sources")
    fitted = _fit(examples, len(families), options, 0)
    progress("closest sources")
    embedding, sources, neighbours = fit_embedding(data, generators, slots, taps)
    head = MakerHead(slots, *fitted.weights(), embedding)
    weights = source_weights(examples.source)
    temperature = temperature_of(logits, examples.family, weights)
    threshold = named_from(logits / temperature, examples.family, weights, families, options.precision)

    def measure(logits: NDArray[np.float32], of: _Examples) -> dict[str, Any]:
        return measure_maker(logits, temperature, threshold, of.family, of.source, families)

    measured = {"out_of_fold": measure(logits, examples)}
    for name, test in tests.items():
        test_examples = _examples(test, generators, families, slots, taps)
        if len(test_examples.family):
            measured[name] = measure(head.logits(test_examples.features.numpy()), test_examples)
    facts = {
        "families": families,
        "temperature": temperature,
        "threshold": threshold,
        "fitted_on": f"out-of-fold logits of {options.folds} folds of training sources",
        "recipe": asdict(options),
        "sources": len(np.unique(examples.source)),
        "measured": measured,
        "closest_sources": neighbours,
    }
    return Maker(head, sources, facts)


def _out_of_fold_logits(
    examples: _Examples, folds: NDArray[np.int64], families: int, options: MakerOptions, progress: Progress
) -> NDArray[np.float32]:
    """(N, families) logits of each example, by a head that was not trained on its fold."""
    logits = np.zeros((len(folds), families), np.float32)
    for fold in range(options.folds):
        progress(f"maker: fold {fold + 1} of {options.folds}")
        held_out = folds == fold
        fitted = _fit(examples.subset(~held_out), families, options, fold)
        logits[held_out] = fitted.logits(examples.features[held_out])
    return logits


def choose_families(data: FeatureSet, generators: Mapping[str, str], least: int) -> list[str]:
    """The families with at least `least` training sources, in the order of GENERATORS, and OTHER at the end."""
    counts: dict[str, int] = defaultdict(int)
    for source in np.unique(data.source[data.is_ai]):
        counts[generators.get(str(source), "")] += 1
    return [name for name in GENERATORS if counts[name] >= least and name not in (OTHER, SEVERAL)] + [OTHER]


def _slots(taps: int) -> NDArray[np.int64]:
    """Indices of the taps used: evenly spaced, without the first and the last if there are more than _TAPS_USED."""
    if taps <= _TAPS_USED:
        return np.arange(taps)
    return np.unique(np.rint(np.linspace(1, taps - 2, _TAPS_USED)).astype(np.int64))


def _examples(
    data: FeatureSet, generators: Mapping[str, str], families: list[str], slots: NDArray[np.int64], taps: int
) -> _Examples:
    """The copies of AI images of sources with a single, known family."""
    names = [generators.get(str(source), "") for source in data.source]
    mask = data.is_ai & np.array([name not in ("", SEVERAL) for name in names])
    index = {name: number for number, name in enumerate(families)}
    family = np.array([index.get(name, index[OTHER]) for name in names], np.int64)
    views = data.cls[mask, :2]
    features = views.reshape(len(views), 2, taps, -1)[:, :, slots].reshape(len(views), -1)
    return _Examples(torch.from_numpy(features.astype(np.float32)), family[mask], data.source[mask])


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    mean: torch.Tensor
    deviation: torch.Tensor
    hidden: nn.Linear
    output: nn.Linear

    def logits(self, features: torch.Tensor) -> NDArray[np.float32]:
        with torch.no_grad():
            hidden = torch.relu(self.hidden((features - self.mean) / self.deviation))
            return np.asarray(self.output(hidden).numpy(), np.float32)

    def weights(self) -> tuple[Linear8, NDArray[np.float32], NDArray[np.float32]]:
        """Hidden layer, output weight and output bias, with the standardisation folded in."""
        with torch.no_grad():
            weight = self.hidden.weight / self.deviation  # (H, D)
            bias = self.hidden.bias - (weight * self.mean).sum(1)
            output, output_bias = self.output.weight.T.numpy().copy(), self.output.bias.numpy().copy()
            return Linear8.of(weight.T.numpy(), bias.numpy()), output, output_bias


def _fit(examples: _Examples, families: int, options: MakerOptions, seed: int) -> _Fitted:
    torch.manual_seed(seed)
    features = examples.features
    mean, deviation = features.mean(0), features.std(0) + 1e-3
    fitted = _Fitted(
        mean, deviation, nn.Linear(features.shape[1], options.hidden), nn.Linear(options.hidden, families)
    )
    optimiser = make_optimiser((fitted.hidden, fitted.output), options.learning_rate, options.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.learning_rate, total_steps=options.steps
    )
    weights = group_balanced_weights(
        examples.source, examples.family, options.source_power, options.family_power
    )
    probabilities = torch.from_numpy(weights)
    targets = nn.functional.one_hot(torch.from_numpy(examples.family), families).float()
    beta = torch.distributions.Beta(options.mixup, options.mixup)
    for _ in range(options.steps):
        drawn = torch.multinomial(probabilities, options.batch_size, replacement=True)
        batch, target = (features[drawn] - mean) / deviation, targets[drawn]
        weight, partner = beta.sample((len(batch), 1)), torch.randperm(len(batch))
        batch = weight * batch + (1 - weight) * batch[partner]
        target = weight * target + (1 - weight) * target[partner]
        batch = nn.functional.dropout(batch, options.feature_dropout)
        hidden = nn.functional.dropout(torch.relu(fitted.hidden(batch)), options.dropout)
        loss = nn.functional.cross_entropy(
            fitted.output(hidden), target, label_smoothing=options.label_smoothing
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return fitted
