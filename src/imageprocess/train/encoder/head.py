"""Train a head on stored features: a small MLP over both views side by side, averaged over seeds.

Folds are of sources, stratified by category and class, so that out-of-fold scores are of sources that a fold's head
never saw; calibration and thresholds come from these, over all degradations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...model.base.head import Head
from .features import FeatureSet

Progress = Callable[[str], None]
Float = NDArray[np.float32]
_HEATMAP_STEPS = 200  # at least


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


def out_of_fold(
    data: FeatureSet, folds: NDArray[np.int64], options: HeadOptions, progress: Progress = lambda text: None
) -> NDArray[np.float64]:
    """(N,) logit(ai) - logit(real) of each picture by heads that saw none of its source; one seed a fold."""
    scores = np.zeros(len(data.source))
    everything = _flat(data)
    for fold in range(options.folds):
        progress(f"fold {fold + 1} of {options.folds}")
        held = folds == fold
        fitted = _fit(everything[~held], data.is_ai[~held], data.source[~held], options, seed=fold)
        scores[held] = fitted.predict(everything[held])
    return scores


def train_head(
    data: FeatureSet, options: HeadOptions, progress: Progress = lambda text: None
) -> tuple[Head, Callable[[FeatureSet], NDArray[np.float64]]]:
    """The head that ships, on all of `data`, and its float scores of other features (before 8-bit weights)."""
    everything = _flat(data)
    members = []
    for seed in range(options.seeds):
        progress(f"seed {seed + 1} of {options.seeds}")
        members.append(_fit(everything, data.is_ai, data.source, options, seed=seed))

    def score(other: FeatureSet) -> NDArray[np.float64]:
        flat = _flat(other)
        return np.asarray(np.mean([member.predict(flat) for member in members], axis=0))

    progress("heat map")
    return _to_head(members, *_fit_patches(data, options)), score


def _flat(data: FeatureSet) -> torch.Tensor:
    """(N, 2 * features) float16: the whole picture, then the first crop."""
    return torch.from_numpy(data.cls[:, :2].reshape(len(data.cls), -1))


def _fit(
    features: torch.Tensor,
    is_ai: NDArray[np.bool_],
    source: NDArray[np.str_],
    options: HeadOptions,
    *,
    seed: int,
) -> _Fitted:
    torch.manual_seed(seed)
    labels = torch.from_numpy(is_ai.astype(np.float32))
    mean = features.float().mean(0, keepdim=True)
    deviation = features.float().std(0, keepdim=True) + 1e-3
    fitted = _Fitted(
        mean, deviation, nn.Linear(features.shape[1], options.hidden), nn.Linear(options.hidden, 1)
    )
    weights = torch.from_numpy(sampling_weights(is_ai, source, options.source_power))
    optimiser = _optimiser(fitted, options)
    steps = max(1, options.epochs * len(features) // options.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.learning_rate, total_steps=steps)
    for _ in range(steps):
        chosen = torch.multinomial(weights, options.batch_size, replacement=True)
        batch = (features[chosen].float() - mean) / deviation
        batch, target = _mixed(batch, labels[chosen], options.mixup)
        batch = nn.functional.dropout(batch, options.feature_dropout)
        hidden = nn.functional.dropout(torch.relu(fitted.hidden(batch)), options.dropout)
        target = target * (1 - options.label_smoothing) + options.label_smoothing / 2
        loss = nn.functional.binary_cross_entropy_with_logits(fitted.output(hidden)[:, 0], target)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return fitted


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
    for _ in range(max(_HEATMAP_STEPS, 4 * len(data.patches) // options.batch_size)):
        chosen = torch.multinomial(weights, options.batch_size, replacement=True)
        batch = nn.functional.dropout((views[chosen].float() - mean) / deviation, options.feature_dropout)
        loss = nn.functional.binary_cross_entropy_with_logits(layer(batch)[:, 0], labels[chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        weight = layer.weight[0] / deviation
        return weight.numpy().astype(np.float32), float(layer.bias.item() - (weight * mean).sum().item())


def _optimiser(fitted: _Fitted, options: HeadOptions) -> torch.optim.Optimizer:
    layers = (fitted.hidden, fitted.output)
    return torch.optim.AdamW(
        [
            {"params": [layer.weight for layer in layers], "weight_decay": options.weight_decay},
            {"params": [layer.bias for layer in layers], "weight_decay": 0.0},
        ],
        lr=options.learning_rate,
    )


def _mixed(batch: torch.Tensor, labels: torch.Tensor, alpha: float) -> tuple[torch.Tensor, torch.Tensor]:
    if not alpha:
        return batch, labels
    share = torch.distributions.Beta(alpha, alpha).sample((len(batch), 1))
    other = torch.randperm(len(batch))
    mixed = share * batch + (1 - share) * batch[other]
    return mixed, share[:, 0] * labels + (1 - share[:, 0]) * labels[other]


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
    scale = np.maximum(np.abs(hidden).max(axis=0), 1e-12) / 127
    values = np.clip(np.rint(hidden / scale), -127, 127).astype(np.int8)
    bias = np.concatenate(biases).astype(np.float32)
    width = len(hidden) // 2
    return Head(
        hidden=values.reshape(2, width, -1),
        hidden_scale=scale.astype(np.float32),
        hidden_bias=bias,
        output=np.concatenate(outputs).astype(np.float32),
        output_bias=output_bias,
        patches=patches,
        patches_bias=np.float32(patches_bias),
    )
