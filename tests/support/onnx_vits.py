"""Tiny vision transformers of random weights as ONNX files, of other architectures than `tiny_vit`."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE, PATCH, WIDTH, HEADS, BLOCKS = 32, 8, 48, 3, 4
PATCHES = (SIDE // PATCH) ** 2


class _Block(nn.Module):
    def __init__(self, *, tanh: bool, scaled: bool) -> None:
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.g1 = nn.Parameter(torch.full((WIDTH,), 0.7)) if scaled else None
        self.g2 = nn.Parameter(torch.full((WIDTH,), 0.6)) if scaled else None
        self.approximate = "tanh" if tanh else "none"

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, _ = x.shape
        q, k, v = self.qkv(self.n1(x)).reshape(batch, tokens, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, WIDTH)
        mixed = self.proj(mixed)
        x = x + (mixed if self.g1 is None else mixed * self.g1)
        inside = self.down(functional.gelu(self.up(self.n2(x)), approximate=self.approximate))
        return x + (inside if self.g2 is None else inside * self.g2)


class Vit(nn.Module):
    """`prefix` tokens (a CLS and registers, or none) before the patches; `forward` returns only a pooled output."""

    def __init__(self, prefix: int, *, tanh: bool, scaled: bool) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.first = nn.Parameter(torch.randn(1, prefix, WIDTH)) if prefix else None
        self.places = nn.Parameter(torch.randn(1, PATCHES, WIDTH) * 0.3)
        self.blocks = nn.ModuleList(_Block(tanh=tanh, scaled=scaled) for _ in range(BLOCKS))
        self.norm = nn.LayerNorm(WIDTH)

    def behind(self, x: Tensor) -> list[Tensor]:
        """The tokens after each block."""
        x = self.patches(x).flatten(2).transpose(1, 2) + self.places
        if self.first is not None:
            x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1)
        tokens = []
        for block in self.blocks:
            x = block(x)
            tokens.append(x)
        return tokens

    def forward(self, image: Tensor) -> Tensor:
        return self.norm(self.behind(image)[-1]).mean(1)


def registers_vit() -> Vit:
    """A CLS token and two registers, layer scale, exact GELU, as in DINOv3."""
    return Vit(3, tanh=False, scaled=True).eval()


def plain_vit() -> Vit:
    """No CLS token, tanh GELU, as in SigLIP."""
    return Vit(0, tanh=True, scaled=False).eval()


def export(
    network: nn.Module, path: Path, *, old: bool = False, open_batch: bool = True, half: bool = False
) -> Path:
    """`old`: by the TorchScript exporter, operator set 14, numeric names."""
    pixels = torch.randn(2, 3, SIDE, SIDE, dtype=torch.half if half else torch.float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if old:
            axes = {"image": {0: "n"}} if open_batch else None
            torch.onnx.export(
                network, (pixels,), str(path), input_names=["image"], dynamo=False, opset_version=14,
                dynamic_axes=axes,
            )  # fmt: skip
        else:
            shapes = ({0: torch.export.Dim("n")},) if open_batch else None
            torch.onnx.export(
                network, (pixels,), str(path), input_names=["pixels"], dynamo=True, external_data=False,
                dynamic_shapes=shapes, verbose=False,
            )  # fmt: skip
    return path
