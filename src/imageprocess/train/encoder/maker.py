"""Train the maker head: which family of generators made an AI picture, on the features that the head learnt on.

Families with too few training sources are learnt as "other"; sources of several families are left out. Folds are of
sources, stratified by family: the temperature, and the probability from which a family is named, come from out-of-fold
logits alone. "Other" is never named.
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
from ...model.base.maker import Linear8, MakerHead
from ...model.nearest import TrainingSources
from .features import FeatureSet
from .head import make_optimiser
from .maker_measure import measure_maker, named_from, source_weights, temperature_of
from .neighbours import fit_embedding

OTHER, SEVERAL = "other", "mixed"
_SLOTS = 3  # tapped blocks that the maker head sees
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class MakerOptions:
    hidden: int = 48
    steps: int = 400
    batch_size: int = 256
    learning_rate: float = 3e-3  # the peak of one cycle
    weight_decay: float = 0.05
    dropout: float = 0.5
    feature_dropout: float = 0.2
    mixup: float = 0.3  # Beta(a, a)
    label_smoothing: float = 0.1
    source_power: float = 0.5  # a picture's weight is its source's size to minus this
    family_power: float = 0.5  # and its family's total weight to minus this
    folds: int = 4
    least_sources: int = 4  # of a family that is not "other"
    precision: float = 0.8  # of the families that are named, so many are right out of fold


@dataclass(frozen=True, slots=True, eq=False)
class Maker:
    """What the recipe stores beside the head."""

    head: MakerHead
    sources: TrainingSources
    facts: dict[str, Any]  # `maker` of model.json


@dataclass(frozen=True, slots=True, eq=False)
class _Examples:
    features: torch.Tensor  # (N, 2 * K * width) float32
    family: NDArray[np.int64]  # (N,) index into the families
    source: NDArray[np.str_]


def train_maker(
    data: FeatureSet,
    tests: Mapping[str, FeatureSet],
    generators: Mapping[str, str],
    repositories: Mapping[str, str],
    taps: int,
    options: MakerOptions,
    progress: Progress = lambda text: None,
) -> Maker | None:
    """None where `generators` (source -> family) name fewer than two families with enough sources."""
    families = choose_families(data, generators, options.least_sources)
    if len(families) < 3:  # two and "other"
        return None
    slots = _slots(taps)
    examples = _examples(data, generators, families, slots, taps)
    folds = family_folds(examples.source, examples.family, repositories, options.folds)
    logits = np.zeros((len(folds), len(families)), np.float32)
    for fold in range(options.folds):
        progress(f"maker: fold {fold + 1} of {options.folds}")
        held = folds == fold
        part = _Examples(examples.features[~held], examples.family[~held], examples.source[~held])
        logits[held] = _fit(part, len(families), options, fold).logits(examples.features[held])
    progress("maker: all sources")
    fitted = _fit(examples, len(families), options, 0)
    progress("closest sources")
    embedding, sources, neighbours = fit_embedding(data, generators, slots, taps)
    head = MakerHead(slots, *fitted.weights(), embedding)
    weights = source_weights(examples.source)
    temperature = temperature_of(logits, examples.family, weights)
    threshold = named_from(logits / temperature, examples.family, weights, families, options.precision)
    measured = {
        "out_of_fold": measure_maker(
            logits, temperature, threshold, examples.family, examples.source, families
        )
    }
    for name, test in tests.items():
        shown = _examples(test, generators, families, slots, taps)
        if len(shown.family):
            found = head.logits(shown.features.numpy())
            measured[name] = measure_maker(
                found, temperature, threshold, shown.family, shown.source, families
            )
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


def choose_families(data: FeatureSet, generators: Mapping[str, str], least: int) -> list[str]:
    """Those with at least `least` training sources, in the manifest's order, and "other" at the end."""
    counts: dict[str, int] = defaultdict(int)
    for source in np.unique(data.source[data.is_ai]):
        counts[generators.get(str(source), "")] += 1
    return [name for name in GENERATORS if counts[name] >= least and name not in (OTHER, SEVERAL)] + [OTHER]


def family_folds(
    source: NDArray[np.str_], family: NDArray[np.int64], repositories: Mapping[str, str], folds: int
) -> NDArray[np.int64]:
    """(N,) the fold of each picture: sources and repositories whole, families spread over the folds."""
    rng = np.random.default_rng(1)
    fold_of: dict[str, int] = {}
    by_repository: dict[str, int] = {}
    for number in np.unique(family):
        names = [str(name) for name in np.unique(source[family == number])]
        for place, name in enumerate(rng.permutation(names)):
            fold_of[name] = by_repository.setdefault(repositories.get(name, name), place % folds)
    return np.array([fold_of[str(name)] for name in source])


def _slots(taps: int) -> NDArray[np.int64]:
    """Evenly spread over the taps, neither the first nor the last where there are enough."""
    if taps <= _SLOTS:
        return np.arange(taps)
    return np.unique(np.rint(np.linspace(1, taps - 2, _SLOTS)).astype(np.int64))


def _examples(
    data: FeatureSet, generators: Mapping[str, str], families: list[str], slots: NDArray[np.int64], taps: int
) -> _Examples:
    """The AI pictures whose family is known."""
    known = [generators.get(str(source), "") for source in data.source]
    kept = data.is_ai & np.array([name not in ("", SEVERAL) for name in known])
    index = {name: number for number, name in enumerate(families)}
    family = np.array([index.get(name, index[OTHER]) for name in known], np.int64)
    pair = data.cls[kept, :2]
    chosen = pair.reshape(len(pair), 2, taps, -1)[:, :, slots].reshape(len(pair), -1)
    return _Examples(torch.from_numpy(chosen.astype(np.float32)), family[kept], data.source[kept])


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    mean: torch.Tensor
    deviation: torch.Tensor
    hidden: nn.Linear
    output: nn.Linear

    def logits(self, features: torch.Tensor) -> NDArray[np.float32]:
        with torch.no_grad():
            inside = torch.relu(self.hidden((features - self.mean) / self.deviation))
            return np.asarray(self.output(inside).numpy(), np.float32)

    def weights(self) -> tuple[Linear8, NDArray[np.float32], NDArray[np.float32]]:
        """Standardisation folded in."""
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
    weights = torch.from_numpy(_sampling_weights(examples, options))
    targets = nn.functional.one_hot(torch.from_numpy(examples.family), families).float()
    beta = torch.distributions.Beta(options.mixup, options.mixup)
    for _ in range(options.steps):
        chosen = torch.multinomial(weights, options.batch_size, replacement=True)
        batch, target = (features[chosen] - mean) / deviation, targets[chosen]
        share, other = beta.sample((len(batch), 1)), torch.randperm(len(batch))
        batch = share * batch + (1 - share) * batch[other]
        target = share * target + (1 - share) * target[other]
        batch = nn.functional.dropout(batch, options.feature_dropout)
        inside = nn.functional.dropout(torch.relu(fitted.hidden(batch)), options.dropout)
        loss = nn.functional.cross_entropy(
            fitted.output(inside), target, label_smoothing=options.label_smoothing
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return fitted


def _sampling_weights(examples: _Examples, options: MakerOptions) -> NDArray[np.float64]:
    weights = source_weights(examples.source, options.source_power)
    totals = np.bincount(examples.family, weights)
    return np.asarray(weights * totals[examples.family] ** -options.family_power)
