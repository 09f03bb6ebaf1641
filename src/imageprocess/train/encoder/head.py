"""Train a head on stored features: an ensemble of small MLPs on the concatenated features of two views.

The members differ in their seed and their logits are averaged. Folds are of whole sources (`data.folds`), so that
out-of-fold scores are of sources that were not in training; calibration and thresholds are fitted on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...data.sampling import class_balanced_weights
from ...model.base.head import Head
from ...model.base.maker import Linear8
from .features import FeatureSet

Progress = Callable[[str], None]
Float = NDArray[np.float32]
_MIN_STEPS = 200  # a set of a hundred images has two batches in all of its epochs
_PROJECTION = 32  # outputs of the projection that the contrastive loss compares
_CONTRASTIVE_TEMPERATURE = 0.1


@dataclass(frozen=True, slots=True)
class HeadOptions:
    hidden: int = 64  # units of each member
    seeds: int = 4  # members of the ensemble
    epochs: int = 8
    batch_size: int = 256
    learning_rate: float = 3e-3  # peak of the one-cycle schedule
    weight_decay: float = 0.03
    dropout: float = 0.5
    feature_dropout: float = 0.2
    mixup: float = 0.3  # Beta(a, a); 0: no mixup
    label_smoothing: float = 0.04
    consistency: float = 1.0  # weight of the squared difference between the probabilities of two copies
    contrastive: float = 0.5  # weight of the supervised contrastive loss on the hidden units
    source_power: float = 0.5  # of `data.sampling.class_balanced_weights`
    folds: int = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Member:
    """A trained member of the ensemble: standardisation and an MLP of one hidden layer."""

    mean: torch.Tensor  # (1, D)
    deviation: torch.Tensor  # (1, D)
    hidden: nn.Linear
    output: nn.Linear

    def predict(self, features: torch.Tensor) -> NDArray[np.float64]:
        """features (N, D) -> logit(ai) - logit(real) (N,)."""
        with torch.no_grad():
            parts = [
                self.output(torch.relu(self.hidden((part.float() - self.mean) / self.deviation)))[:, 0]
                for part in torch.split(features, 1024)
            ]
        return torch.cat(parts).numpy().astype(np.float64)


def out_of_fold(
    data: FeatureSet, folds: NDArray[np.int64], options: HeadOptions, progress: Progress = lambda text: None
) -> NDArray[np.float64]:
    """logit(ai) - logit(real) (N,) of each copy, by ensembles that were not trained on its fold.

    folds (N,): 0 to `options.folds` - 1.
    """
    return out_of_fold_and_other(data, None, folds, options, progress)[0]


def out_of_fold_and_other(
    data: FeatureSet,
    other: FeatureSet | None,
    folds: NDArray[np.int64],
    options: HeadOptions,
    progress: Progress = lambda text: None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`out_of_fold` of `data` (N,), and the mean logits of the same heads, over folds and seeds, of the M copies in
    `other` (M,), which no head is trained on; (0,) without `other`."""
    scores = np.zeros(len(data.source))
    examples = _Examples.of(data)
    other_features = _concatenated(other) if other else examples.features[:0]
    other_scores = np.zeros(len(other_features))
    for fold in range(options.folds):
        held_out = folds == fold
        training = examples.subset(~held_out)
        for seed in range(options.seeds):
            progress(f"fold {fold + 1} of {options.folds}, seed {seed + 1} of {options.seeds}")
            member = _fit(training, options, seed=fold + options.folds * seed)
            scores[held_out] += member.predict(examples.features[held_out]) / options.seeds
            other_scores += member.predict(other_features) / (options.seeds * options.folds)
    return scores, other_scores


def train_head(
    data: FeatureSet, options: HeadOptions, progress: Progress = lambda text: None
) -> tuple[Head, Callable[[FeatureSet], NDArray[np.float64]]]:
    """Train on all of `data`. -> the head with 8-bit weights, and a function that scores other features with the
    float weights: FeatureSet -> logit(ai) - logit(real) (N,)."""
    examples = _Examples.of(data)
    members = []
    for seed in range(options.seeds):
        progress(f"seed {seed + 1} of {options.seeds}")
        members.append(_fit(examples, options, seed=seed))

    def score(other: FeatureSet) -> NDArray[np.float64]:
        features = _concatenated(other)
        return np.asarray(np.mean([member.predict(features) for member in members], axis=0))

    progress("heat map")
    return _to_head(members, *_fit_patches(data, options)), score


def _concatenated(data: FeatureSet) -> torch.Tensor:
    """-> (N, 2 * taps * width) float16: the features of the whole picture, then those of the first crop."""
    return torch.from_numpy(data.cls[:, :2].reshape(len(data.cls), -1))


@dataclass(frozen=True, slots=True, eq=False)
class _Examples:
    features: torch.Tensor  # (N, 2 * taps * width) float16
    is_ai: NDArray[np.bool_]
    source: NDArray[np.str_]
    picture: NDArray[np.str_]

    @classmethod
    def of(cls, data: FeatureSet) -> _Examples:
        return cls(_concatenated(data), data.is_ai, data.source, data.picture)

    def subset(self, mask: NDArray[np.bool_]) -> _Examples:
        return _Examples(self.features[mask], self.is_ai[mask], self.source[mask], self.picture[mask])

    def other_copies(self) -> torch.Tensor:
        """-> (N,) the index of another copy of the same image; the copy's own index if there is no other."""
        order = np.argsort(self.picture, kind="stable")
        _, starts, counts = np.unique(self.picture[order], return_index=True, return_counts=True)
        number = np.arange(len(order)) - np.repeat(starts, counts)  # of the copy within its image
        following = np.repeat(starts, counts) + (number + 1) % np.repeat(counts, counts)
        other = np.empty(len(order), np.int64)
        other[order] = order[following]
        return torch.from_numpy(other)


def _fit(examples: _Examples, options: HeadOptions, *, seed: int) -> _Member:
    """Train one member. A batch contains two copies of each of its images, mixed with the same partner, for the
    consistency loss between their probabilities. Mixup follows the first layer: it is linear, so this equals mixing
    the features."""
    torch.manual_seed(seed)
    features, other = examples.features, examples.other_copies()
    labels = torch.from_numpy(examples.is_ai.astype(np.float32))
    mean = features.float().mean(0, keepdim=True)
    deviation = features.float().std(0, keepdim=True) + 1e-3
    member = _Member(
        mean, deviation, nn.Linear(features.shape[1], options.hidden), nn.Linear(options.hidden, 1)
    )
    weights = torch.from_numpy(class_balanced_weights(examples.is_ai, examples.source, options.source_power))
    projection = nn.Linear(options.hidden, _PROJECTION)  # only used in training
    optimiser = make_optimiser(
        (member.hidden, member.output, projection), options.learning_rate, options.weight_decay
    )
    steps = max(_MIN_STEPS, options.epochs * len(features) // options.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.learning_rate, total_steps=steps)
    for _ in range(steps):
        drawn = torch.multinomial(weights, options.batch_size // 2, replacement=True)
        pairs = torch.stack([drawn, other[drawn]])  # (2, B)
        batch = (features[pairs].float() - mean) / deviation
        hidden = member.hidden(nn.functional.dropout(batch, options.feature_dropout))  # (2, B, units)
        mixed, target = _mixup(hidden, labels[drawn], options.mixup)
        mixed = nn.functional.dropout(torch.relu(mixed), options.dropout)
        loss = _loss(member.output(mixed)[..., 0], target, options)
        if options.contrastive:
            projected = projection(torch.relu(hidden)).flatten(0, 1)
            loss = loss + options.contrastive * _contrastive_loss(projected, labels[drawn].repeat(2))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return member


def _loss(logits: torch.Tensor, target: torch.Tensor, options: HeadOptions) -> torch.Tensor:
    """logits (2, B) of two copies of each image, target (B,)."""
    target = target * (1 - options.label_smoothing) + options.label_smoothing / 2
    cross_entropy = nn.functional.binary_cross_entropy_with_logits(logits, target.expand_as(logits))
    first, second = torch.sigmoid(logits)
    total: torch.Tensor = cross_entropy + options.consistency * ((first - second) ** 2).mean()
    return total


def _contrastive_loss(projected: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, arXiv 2004.11362), which draws images of one class together.

    projected (N, D), labels (N,); each label must occur at least twice.
    """
    unit = nn.functional.normalize(projected, dim=1)
    is_self = torch.eye(len(unit), dtype=torch.bool)
    similarity = (unit @ unit.T / _CONTRASTIVE_TEMPERATURE).masked_fill(is_self, -1e9)
    log_probability = similarity - similarity.logsumexp(1, keepdim=True)
    positive = (labels[:, None] == labels[None]) & ~is_self
    return -((log_probability * positive).sum(1) / positive.sum(1)).mean()


def _fit_patches(data: FeatureSet, options: HeadOptions) -> tuple[Float, float]:
    """Train a linear layer on the mean patch token of single views -> weight (taps * width,), bias.

    Since it is linear, the contribution of each patch to the logit of a view is known: the heat map.
    """
    torch.manual_seed(0)
    views = torch.from_numpy(data.patches[:, :2].reshape(-1, data.patches.shape[2]))  # (2 * N, taps * width)
    is_ai, source = np.repeat(data.is_ai, 2), np.repeat(data.source, 2)
    mean, deviation = views.float().mean(0), views.float().std(0) + 1e-3
    layer = nn.Linear(views.shape[1], 1)
    nn.init.zeros_(
        layer.weight
    )  # random weights that training does not change would be noise in the heat map
    optimiser = torch.optim.AdamW(layer.parameters(), lr=1e-3, weight_decay=1.0)
    weights = torch.from_numpy(class_balanced_weights(is_ai, source, options.source_power))
    labels = torch.from_numpy(is_ai.astype(np.float32))
    for _ in range(max(_MIN_STEPS, 4 * len(data.patches) // options.batch_size)):
        drawn = torch.multinomial(weights, options.batch_size, replacement=True)
        batch = nn.functional.dropout((views[drawn].float() - mean) / deviation, options.feature_dropout)
        loss = nn.functional.binary_cross_entropy_with_logits(layer(batch)[:, 0], labels[drawn])
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


def _mixup(batch: torch.Tensor, labels: torch.Tensor, alpha: float) -> tuple[torch.Tensor, torch.Tensor]:
    """batch (2, B, D), labels (B,): both copies of an image are mixed with those of the same partner."""
    if not alpha:
        return batch, labels
    weight = torch.distributions.Beta(alpha, alpha).sample((len(labels),))
    partner = torch.randperm(len(labels))
    mixed = weight[:, None] * batch + (1 - weight[:, None]) * batch[:, partner]
    return mixed, weight * labels + (1 - weight) * labels[partner]


def _to_head(members: list[_Member], patches: Float, patches_bias: float) -> Head:
    """The ensemble as one MLP: concatenated hidden layers, averaged outputs, standardisation folded in."""
    weights, biases, outputs = [], [], []
    with torch.no_grad():
        for member in members:
            weight = member.hidden.weight / member.deviation  # (H, D)
            weights.append(weight.T.numpy())
            biases.append((member.hidden.bias - (weight * member.mean).sum(1)).numpy())
            outputs.append(member.output.weight[0].numpy() / len(members))
        output_bias = np.float32(np.mean([member.output.bias.item() for member in members]))
    hidden = np.concatenate(weights, axis=1)  # (2 * taps * width, hidden units of all members)
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
