"""The CLIP image tower in PyTorch, frozen, with low-rank adapters (LoRA, Hu et al. 2022) on some linear layers.

It is the network that `model.base.cut_encoder` builds as an ONNX graph, into whose weights `model.base.adapter` merges
the adapters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import UsageError
from ...model.base.adapter import Adapter, LowRank
from ...model.base.cut_encoder import EPSILON, HEAD_WIDTH, shape_of
from ...model.base.tensors import Tensors

Target = Literal["q", "k", "v", "out", "fc1", "fc2"]
LAYERS: dict[Target, str] = {
    "q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "out": "self_attn.out_proj",
    "fc1": "mlp.fc1", "fc2": "mlp.fc2",
}  # fmt: skip
_SCALE = 2.0  # alpha / rank


class _Linear(nn.Module):
    """x @ weight + bias, plus x @ down @ up * _SCALE if `rank` is above 0."""

    weight: Tensor
    bias: Tensor

    def __init__(self, tensors: Tensors, name: str, rank: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.from_numpy(tensors[f"{name}.weight"].T.copy()), persistent=False)
        self.register_buffer("bias", torch.from_numpy(tensors[f"{name}.bias"].copy()), persistent=False)
        outputs, inputs = self.weight.shape
        self.down: nn.Parameter | None = None
        if rank:
            self.down = nn.Parameter(torch.randn(inputs, rank) / math.sqrt(inputs))
            self.up = nn.Parameter(torch.zeros(rank, outputs))  # the initial adapter changes nothing

    def forward(self, x: Tensor) -> Tensor:
        y = functional.linear(x, self.weight, self.bias)
        if self.down is not None:
            y = y + (x @ self.down @ self.up) * _SCALE
        return y


class _Norm(nn.Module):
    weight: Tensor
    bias: Tensor

    def __init__(self, tensors: Tensors, name: str) -> None:
        super().__init__()
        self.register_buffer("weight", torch.from_numpy(tensors[f"{name}.weight"].copy()), persistent=False)
        self.register_buffer("bias", torch.from_numpy(tensors[f"{name}.bias"].copy()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, EPSILON)


class _Block(nn.Module):
    def __init__(self, tensors: Tensors, number: int, rank: int, targets: Sequence[Target]) -> None:
        super().__init__()
        name = f"encoder.layers.{number}."
        self.norm1, self.norm2 = (_Norm(tensors, f"{name}layer_norm{part}") for part in (1, 2))
        self.layers = nn.ModuleDict(
            {
                target: _Linear(tensors, name + layer, rank if target in targets else 0)
                for target, layer in LAYERS.items()
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        normed = self.norm1(x)
        q, k, v = (
            self.layers[part](normed).reshape(batch, tokens, -1, HEAD_WIDTH).transpose(1, 2) for part in "qkv"
        )
        attended = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        x = x + self.layers["out"](attended.reshape(batch, tokens, width))
        hidden = self.layers["fc1"](self.norm2(x))
        y: Tensor = self.layers["fc2"](hidden * torch.sigmoid(1.702 * hidden))  # CLIP's approximation of GELU
        return x + y


class AdaptedTower(nn.Module):
    """`forward`: pixels (B, 3, side, side) -> the CLS token after each tapped block (B, taps * width)."""

    kernel: Tensor
    first: Tensor
    positions: Tensor

    def __init__(
        self,
        tensors: Tensors,
        taps: Sequence[int],
        *,
        rank: int,
        blocks: Sequence[int],
        targets: Sequence[Target],
    ) -> None:
        """`taps`, `blocks`: numbers of tapped and of adapted blocks, 1 = the first. Rank 0: no adapters.

        Raises UsageError for a block that does not exist, or if no adapted block comes before a tap.
        """
        super().__init__()
        shape = shape_of(tensors)
        if invalid := [number for number in (*taps, *blocks) if not 1 <= number <= shape.blocks]:
            raise UsageError(f"block {invalid[0]}: the encoder has blocks 1 to {shape.blocks}")
        if rank and not any(number <= max(taps) for number in blocks):
            raise UsageError(
                f"blocks {list(blocks)}: adapters after the last tap, block {max(taps)}, have no effect; adapt "
                "earlier blocks"
            )
        self.taps, self.patch = tuple(taps), shape.patch
        kernel = tensors["embeddings.patch_embedding.weight"]
        positions = tensors["embeddings.position_embedding.weight"]
        first = tensors["embeddings.class_embedding"] + positions[0]
        for name, value in {"kernel": kernel, "first": first[None, None], "positions": positions[1:]}.items():
            self.register_buffer(name, torch.from_numpy(np.array(value)), persistent=False)
        self.norm = _Norm(tensors, "pre_layrnorm")
        self.blocks = nn.ModuleList(
            _Block(tensors, number, rank if number + 1 in blocks else 0, targets)
            for number in range(max(taps))
        )

    def forward(self, pixels: Tensor) -> Tensor:
        patches = functional.conv2d(pixels, self.kernel, stride=self.patch).flatten(2).transpose(1, 2)
        first = self.first.expand(pixels.shape[0], -1, -1)
        x = self.norm(torch.cat([first, patches + self.positions], 1))
        tokens = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number + 1 in self.taps:
                tokens.append(x[:, 0])
        return torch.cat(tokens, 1)

    def adapter(self) -> Adapter:
        """The trained adapters, {layer: factors}, as `model.base.adapter.save_adapter` stores them."""
        adapter: dict[str, LowRank] = {}
        for name, layer in self.named_modules():
            if isinstance(layer, _Linear) and layer.down is not None:
                _, number, _, target = name.split(".")
                down, up = layer.down.detach().cpu().numpy(), layer.up.detach().cpu().numpy()
                adapter[f"encoder.layers.{number}.{LAYERS[target]}"] = LowRank(
                    down.astype(np.float16), (up * _SCALE).astype(np.float16)
                )
        return adapter
