"""Train a head on stored features: a small MLP over both views side by side, averaged over seeds.

Folds are of sources, stratified by category and class, so that out-of-fold scores are of sources that a fold's head
never saw; calibration and thresholds come from these, over all degradations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...model.base.head import Head
from ...model.base.maker import Linear8
from .features import FeatureSet

Progress = Callable[[str], None]
Float = NDArray[np.float32]
_LEAST_STEPS = 200  # a set of a hundred pictures has two batches in all its epochs
_PROJECTION = 32  # outputs of the projection that the contrastive loss compares
_CONTRASTIVE_TEMPERATURE = 0.1


@dataclass(frozen=True, slots=True)
class HeadOptions:
    hidden: int = 64  # units a seed
    seeds: int = 4
    epochs: int = 8
    batch_size: int = 256
    learning_rate: float = 3e-3  # the peak of one cycle
    weight_decay: float = 0.03
    dropout: float = 0.5
    feature_dropout: float = 0.2
    mixup: float = 0.3  # Beta(a, a); 0: none
    label_smoothing: float = 0.04
    consistency: float = 1.0  # weight of the loss on the difference between two copies of a picture
    contrastive: float = 0.5  # weight of the supervised contrastive loss on the hidden units
    source_power: float = 0.5  # a picture's weight is its source's size to minus this: 1 = sources alike
    folds: int = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    mean: torch.Tensor  # (1, D)
    deviation: torch.Tensor  # (1, D)
    hidden: nn.Linear
    output: nn.Linear

    def predict(self, features: torch.Tensor) -> NDArray[np.float64]:
        with torch.no_grad():
            parts = [
                self.output(torch.relu(self.hidden((part.float() - self.mean) / self.deviation)))[:, 0]
                for part in torch.split(features, 1024)
            ]
        return torch.cat(parts).numpy().astype(np.float64)


def source_folds(data: FeatureSet, repositories: Mapping[str, str], folds: int) -> NDArray[np.int64]:
    """(N,) the fold of each picture; sources of one repository share a fold."""
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


def choose_folds(
    data: FeatureSet, repositories: Mapping[str, str], folds: int
) -> tuple[NDArray[np.int64], str]:
    """(N,) the fold of each picture, and of what folds are: of sources, or of groups of near-duplicates where a class
    has fewer sources than there are folds, as sets of `data import` do."""
    if all(len(np.unique(data.source[data.is_ai == label])) >= folds for label in (True, False)):
        return source_folds(data, repositories, folds), "sources"
    rng = np.random.default_rng(1)
    fold_of: dict[str, int] = {}
    for label in (True, False):
        for name in rng.permutation(np.unique(data.group[data.is_ai == label])):
            fold_of.setdefault(str(name), len(fold_of) % folds)
    return np.array([fold_of[name] for name in data.group]), "pictures"


def out_of_fold(
    data: FeatureSet, folds: NDArray[np.int64], options: HeadOptions, progress: Progress = lambda text: None
) -> NDArray[np.float64]:
    """(N,) logit(ai) - logit(real) of each picture by heads that saw none of its source, averaged over seeds as the
    head that ships is."""
    scores = np.zeros(len(data.source))
    examples = _Examples.of(data)
    for fold in range(options.folds):
        held = folds == fold
        learnt = examples.subset(~held)
        for seed in range(options.seeds):
            progress(f"fold {fold + 1} of {options.folds}, seed {seed + 1} of {options.seeds}")
            fitted = _fit(learnt, options, seed=fold + options.folds * seed)
            scores[held] += fitted.predict(examples.features[held]) / options.seeds
    return scores


def train_head(
    data: FeatureSet, options: HeadOptions, progress: Progress = lambda text: None
) -> tuple[Head, Callable[[FeatureSet], NDArray[np.float64]]]:
    """The head that ships, on all of `data`, and its float scores of other features (before 8-bit weights)."""
    examples = _Examples.of(data)
    members = []
    for seed in range(options.seeds):
        progress(f"seed {seed + 1} of {options.seeds}")
        members.append(_fit(examples, options, seed=seed))

    def score(other: FeatureSet) -> NDArray[np.float64]:
        flat = _flat(other)
        return np.asarray(np.mean([member.predict(flat) for member in members], axis=0))

    progress("heat map")
    return _to_head(members, *_fit_patches(data, options)), score


def _flat(data: FeatureSet) -> torch.Tensor:
    """(N, 2 * features) float16: the whole picture, then the first crop."""
    return torch.from_numpy(data.cls[:, :2].reshape(len(data.cls), -1))


@dataclass(frozen=True, slots=True, eq=False)
class _Examples:
    features: torch.Tensor  # (N, 2 * features) float16
    is_ai: NDArray[np.bool_]
    source: NDArray[np.str_]
    picture: NDArray[np.str_]

    @classmethod
    def of(cls, data: FeatureSet) -> _Examples:
        return cls(_flat(data), data.is_ai, data.source, data.picture)

    def subset(self, mask: NDArray[np.bool_]) -> _Examples:
        return _Examples(self.features[mask], self.is_ai[mask], self.source[mask], self.picture[mask])

    def other_copies(self) -> torch.Tensor:
        """(N,) for each copy the next one of the same picture; itself where there is no other."""
        order = np.argsort(self.picture, kind="stable")
        _, starts, counts = np.unique(self.picture[order], return_index=True, return_counts=True)
        place = np.arange(len(order)) - np.repeat(starts, counts)
        following = np.repeat(starts, counts) + (place + 1) % np.repeat(counts, counts)
        other = np.empty(len(order), np.int64)
        other[order] = order[following]
        return torch.from_numpy(other)


def _fit(examples: _Examples, options: HeadOptions, *, seed: int) -> _Fitted:
    """Each batch holds two copies of every picture in it, mixed with the same partners, so that their probabilities
    can be drawn together. Mix-up follows the first layer: it is linear, so this equals mixing the features."""
    torch.manual_seed(seed)
    features, other = examples.features, examples.other_copies()
    labels = torch.from_numpy(examples.is_ai.astype(np.float32))
    mean = features.float().mean(0, keepdim=True)
    deviation = features.float().std(0, keepdim=True) + 1e-3
    fitted = _Fitted(
        mean, deviation, nn.Linear(features.shape[1], options.hidden), nn.Linear(options.hidden, 1)
    )
    weights = torch.from_numpy(sampling_weights(examples.is_ai, examples.source, options.source_power))
    projection = nn.Linear(options.hidden, _PROJECTION)  # needed in training only
    optimiser = make_optimiser(
        (fitted.hidden, fitted.output, projection), options.learning_rate, options.weight_decay
    )
    steps = max(_LEAST_STEPS, options.epochs * len(features) // options.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.learning_rate, total_steps=steps)
    for _ in range(steps):
        chosen = torch.multinomial(weights, options.batch_size // 2, replacement=True)
        pairs = torch.stack([chosen, other[chosen]])  # (2, B)
        batch = (features[pairs].float() - mean) / deviation
        hidden = fitted.hidden(nn.functional.dropout(batch, options.feature_dropout))  # (2, B, units)
        mixed, target = _mixed(hidden, labels[chosen], options.mixup)
        mixed = nn.functional.dropout(torch.relu(mixed), options.dropout)
        loss = _loss(fitted.output(mixed)[..., 0], target, options)
        if options.contrastive:
            projected = projection(torch.relu(hidden)).flatten(0, 1)
            loss = loss + options.contrastive * _contrastive_loss(projected, labels[chosen].repeat(2))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return fitted


def _loss(logits: torch.Tensor, target: torch.Tensor, options: HeadOptions) -> torch.Tensor:
    """logits (2, B) of two copies of each picture, target (B,)."""
    target = target * (1 - options.label_smoothing) + options.label_smoothing / 2
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, target.expand_as(logits))
    first, second = torch.sigmoid(logits)
    total: torch.Tensor = entropy + options.consistency * ((first - second) ** 2).mean()
    return total


def _contrastive_loss(projected: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, arXiv 2004.11362): pictures of one class are alike.

    projected (N, D), labels (N,) of which each occurs at least twice.
    """
    unit = nn.functional.normalize(projected, dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool)
    similarity = (unit @ unit.T / _CONTRASTIVE_TEMPERATURE).masked_fill(itself, -1e9)
    log_share = similarity - similarity.logsumexp(1, keepdim=True)
    positive = (labels[:, None] == labels[None]) & ~itself
    return -((log_share * positive).sum(1) / positive.sum(1)).mean()


def _fit_patches(data: FeatureSet, options: HeadOptions) -> tuple[Float, float]:
    """A linear reading of the mean patch token of a view. It is linear, so that of a picture's logit each patch gives
    its part: the heat map. Each view is an example of its own."""
    torch.manual_seed(0)
    views = torch.from_numpy(data.patches[:, :2].reshape(-1, data.patches.shape[2]))  # (2 * N, taps * width)
    is_ai, source = np.repeat(data.is_ai, 2), np.repeat(data.source, 2)
    mean, deviation = views.float().mean(0), views.float().std(0) + 1e-3
    layer = nn.Linear(views.shape[1], 1)
    nn.init.zeros_(layer.weight)  # what training does not reach must not speckle the map
    optimiser = torch.optim.AdamW(layer.parameters(), lr=1e-3, weight_decay=1.0)
    weights = torch.from_numpy(sampling_weights(is_ai, source, options.source_power))
    labels = torch.from_numpy(is_ai.astype(np.float32))
    for _ in range(max(_LEAST_STEPS, 4 * len(data.patches) // options.batch_size)):
        chosen = torch.multinomial(weights, options.batch_size, replacement=True)
        batch = nn.functional.dropout((views[chosen].float() - mean) / deviation, options.feature_dropout)
        loss = nn.functional.binary_cross_entropy_with_logits(layer(batch)[:, 0], labels[chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        weight = layer.weight[0] / deviation
        return weight.numpy().astype(np.float32), float(layer.bias.item() - (weight * mean).sum().item())


def make_optimiser(
    layers: Sequence[nn.Linear], learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """AdamW without weight decay of the biases."""
    return torch.optim.AdamW(
        [
            {"params": [layer.weight for layer in layers], "weight_decay": weight_decay},
            {"params": [layer.bias for layer in layers], "weight_decay": 0.0},
        ],
        lr=learning_rate,
    )


def _mixed(batch: torch.Tensor, labels: torch.Tensor, alpha: float) -> tuple[torch.Tensor, torch.Tensor]:
    """batch (2, B, D), labels (B,): both copies of a picture are mixed with those of the same other picture."""
    if not alpha:
        return batch, labels
    share = torch.distributions.Beta(alpha, alpha).sample((len(labels),))
    other = torch.randperm(len(labels))
    mixed = share[:, None] * batch + (1 - share[:, None]) * batch[:, other]
    return mixed, share * labels + (1 - share) * labels[other]


def sampling_weights(is_ai: NDArray[np.bool_], source: NDArray[np.str_], power: float) -> NDArray[np.float64]:
    """Sampling weights: by the size of the source, the classes alike."""
    _, index, counts = np.unique(source, return_inverse=True, return_counts=True)
    weights = counts[index].astype(np.float64) ** -power
    for label in (True, False):
        weights[is_ai == label] /= weights[is_ai == label].sum()
    return weights


def _to_head(members: list[_Fitted], patches: Float, patches_bias: float) -> Head:
    """The average of the members' logits as one MLP: hidden units side by side, standardisation folded in."""
    weights, biases, outputs = [], [], []
    with torch.no_grad():
        for member in members:
            weight = member.hidden.weight / member.deviation  # (H, D)
            weights.append(weight.T.numpy())
            biases.append((member.hidden.bias - (weight * member.mean).sum(1)).numpy())
            outputs.append(member.output.weight[0].numpy() / len(members))
        output_bias = np.float32(np.mean([member.output.bias.item() for member in members]))
    hidden = np.concatenate(weights, axis=1)  # (2 * features, H of all members)
    layer = Linear8.of(hidden, np.concatenate(biases))
    return Head(
        hidden=layer.weight,
        hidden_scale=layer.scale,
        hidden_bias=layer.bias,
        output=np.concatenate(outputs).astype(np.float32),
        output_bias=output_bias,
        patches=patches,
        patches_bias=np.float32(patches_bias),
    )
