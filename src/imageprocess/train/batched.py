"""Many pictures at once, on the device that trains: Pillow's resize and a JPEG's losses, as products of matrices.

Measured against Pillow in tests/train/test_batched.py: a resize differs by a level here and there; a JPEG by a third of
a level to one level on average, where the JPEG itself has changed the picture by one to four.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Filter = Literal["box", "bilinear", "bicubic", "lanczos"]


def resizing(start: Tensor, length: Tensor, size: Tensor, inputs: int, outputs: int, by: Filter) -> Tensor:
    """Pillow's resize of [start, start + length) of a row of pixels to `outputs` places, as matrices.

    `start`, `length` and `size`, the pixels that a row has, are (B,); the rows are padded to `inputs`. -> (B, outputs,
    inputs) float32. A filter widens when it shrinks, as Pillow's do.
    """
    scale = length / outputs
    places = torch.arange(outputs, device=start.device) + 0.5
    centres = start[:, None] + places * scale[:, None]
    pixels = torch.arange(inputs, device=start.device) + 0.5
    away = (pixels - centres[:, :, None]) / scale.clamp_min(1)[:, None, None]
    weights = _weight(by, away) * (pixels < size[:, None, None])
    return weights / weights.sum(2, keepdim=True).clamp_min(1e-6)


def _weight(by: Filter, away: Tensor) -> Tensor:
    far = away.abs()
    if by == "box":
        return ((away > -0.5) & (away <= 0.5)).float()
    if by == "bilinear":
        return (1 - far).clamp_min(0)
    if by == "bicubic":
        near = (1.5 * far - 2.5) * far * far + 1
        return torch.where(far < 1, near, (((far - 5) * far + 8) * far - 4) * -0.5) * (far < 2)
    return torch.sinc(away) * torch.sinc(away / 3) * (far < 3)


def resized(pixels: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """(B, 3, H, W) levels, (B, h, H), (B, w, W) -> (B, 3, h, w) float32, whole levels.

    On a GPU in half precision about the middle grey, where a level's place is known to a sixteenth.
    """
    precision = _precision(pixels)
    about = pixels.to(precision) - 128
    found = down.to(precision)[:, None] @ about @ across.to(precision).transpose(1, 2)[:, None]
    return (found.float() + 128).round_().clamp_(0, 255)


def jpeg(pixels: Tensor, quality: Tensor, *, full_chroma: bool) -> Tensor:
    """(B, 3, H, W) whole levels, (B,) 1 to 100 -> what a JPEG of that quality keeps of them, float32 levels.

    With libjpeg's tables, its rounding, 4:2:0 but where `full_chroma` says 4:4:4, and its smooth enlarging of colour.
    On a GPU in half precision about the middle grey: a JPEG's own steps are coarser.
    """
    height, width = pixels.shape[2:]
    block = 8 if full_chroma else 16
    told = _mixed(_TO_YCC, pixels.to(_precision(pixels)) - 128)  # grey has no colour: all three are about 0
    told = functional.pad(told.round_(), (0, -width % block, 0, -height % block), "replicate")
    colour = told[:, 1:] if full_chroma else functional.avg_pool2d(told[:, 1:], 2).round_()
    light = _quantised(told[:, :1], _table(_LIGHT, quality))
    colour = _quantised(colour, _table(_COLOUR, quality))
    if not full_chroma:
        colour = functional.interpolate(colour, scale_factor=2, mode="bilinear", align_corners=False)
    whole = torch.cat([light, colour], dim=1)[:, :, :height, :width]
    return (_mixed(_TO_RGB, whole).float() + 128).round_().clamp_(0, 255)


def _precision(pixels: Tensor) -> torch.dtype:
    return torch.float16 if pixels.is_cuda else torch.float32


def _quantised(planes: Tensor, table: Tensor) -> Tensor:
    """(B, C, H, W) of whole blocks, (B, 8, 8) -> the same, each block's cosines rounded to the table's steps."""
    count, channels, height, width = planes.shape
    cosines = _cosines(planes.device).to(planes.dtype)
    steps = table.to(planes.dtype).view(count, 1, 64)
    blocks = planes.reshape(count, channels, height // 8, 8, width // 8, 8).permute(0, 1, 2, 4, 3, 5)
    found = blocks.reshape(count, -1, 64) @ cosines.T
    found = (found / steps).round_() * steps
    blocks = (found @ cosines).view(blocks.shape).permute(0, 1, 2, 4, 3, 5)
    return blocks.reshape(planes.shape).round_().clamp_(-128, 127)


def _table(base: Tensor, quality: Tensor) -> Tensor:
    """(8, 8), (B,) -> (B, 8, 8), as libjpeg scales it."""
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    scaled = (_constant(base, quality.device) * percent[:, None, None] + 50) / 100
    return scaled.floor().clamp(1, 255)


def luma(pixels: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W): the first of a JPEG's three planes, not rounded."""
    return torch.einsum("oc,bchw->bohw", _constant(_TO_YCC, pixels.device)[:1], pixels)


def _mixed(matrix: Tensor, pixels: Tensor) -> Tensor:
    return torch.einsum("oc,bchw->bohw", _constant(matrix, pixels.device).to(pixels.dtype), pixels)


@cache
def _constant(tensor: Tensor, device: torch.device) -> Tensor:
    """One and the same tensor on `device`: to copy it there each time would wait for all that the device has to do."""
    return tensor.to(device)


@cache
def _cosines(device: torch.device) -> Tensor:
    """(64, 64): row 8 u + v is the cosine of a block that is the u-th down and the v-th across."""
    place = torch.arange(8.0)
    cosines = torch.cos((2 * place + 1) * place[:, None] * math.pi / 16) / 2
    cosines[0] = math.sqrt(1 / 8)
    return torch.kron(cosines, cosines).to(device)


# JFIF's colours, and the tables of ITU-T T.81, annex K, from which libjpeg has its qualities.
_TO_YCC = torch.tensor(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)  # fmt: skip
_TO_RGB = torch.tensor([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])
_LIGHT = torch.tensor([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
])  # fmt: skip
_COLOUR = torch.full((8, 8), 99)
_COLOUR[:4, :4] = torch.tensor([[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]])
