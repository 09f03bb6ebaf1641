"""All training pictures in a GPU's memory, delivered anew each time that they are shown.

The store keeps three deliveries of a picture, as many as are worth their making on a CPU; a GPU makes one in a tenth of
a millisecond, so that none is ever shown twice and a network takes an hour longer to learn its pictures by heart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..data import equalise
from ..data.index import IndexRow
from ..model.spec import InputSpec
from .batched import Filter, jpeg, luma, resized, resizing
from .dataset import LABELS, Shown
from .store import read_prepared

_CHUNK = 128  # pictures that share their shape, their filter and their encoder
_CLOSE_SHARE, _CLOSE = 0.4, 0.4  # so many chunks show a part alone: a window of at least this much a side
_RELIT_SHARE = 0.3


class OnDevice(Shown):
    """Pictures of the train split: 0.8 MB each of the device's memory.

    As `data.equalise` delivers them, but for its WebPs, which are JPEGs here; half of them mirrored, some in another
    light, shares of them without colour and on a page.
    """

    def __init__(
        self,
        folder: Path,
        rows: Sequence[IndexRow],
        spec: InputSpec,
        *,
        seed: int = 0,
        grey_share: float = 0.0,
        page_share: float = 0.0,
    ) -> None:
        super().__init__(rows, spec, seed)
        self.folder = folder
        self.grey_share = grey_share
        self.page_share = page_share

    def load(self, device: torch.device, *, jobs: int, progress: Callable[[int, int], None]) -> None:
        """Before the first batch."""
        self.device = device
        side = equalise.LONG_SIDE
        self.pixels = torch.zeros(len(self.rows), 3, side, side, dtype=torch.uint8, device=device)
        sizes = torch.empty(len(self.rows), 2)
        with ThreadPoolExecutor(jobs) as pool:
            for place, pixels in enumerate(pool.map(partial(read_prepared, self.folder), self.rows)):
                height, width = pixels.shape[:2]
                # Turned there: on the CPU that takes longer than all the rest.
                planes = torch.tensor(pixels, device=device).permute(2, 0, 1)
                self.pixels[place, :, :height, :width] = planes
                sizes[place] = torch.tensor([height, width])
                progress(place + 1, len(self.rows))
        self.sizes = sizes.to(device)
        self.labels = torch.tensor([LABELS[row.label] for row in self.rows], device=device)

    def batches(
        self, order: Sequence[int], size: int, *, first: int = 0, process: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """-> pixels (size, H, W, 3) uint8, class indices (size,), on the device.

        What is random in a batch follows from its number, counted from `first`, from seed, epoch and `process`.
        """
        if not order:  # an epoch that was stopped after its last step
            return
        # Nothing below waits for the device, which goes on while the next batch is called for.
        batches = torch.split(torch.tensor(order, device=self.device), size)
        for number, places in enumerate(batches, start=first):
            draw = _Draw((self.seed, self.epoch, number, process), self.device)
            shown = torch.cat([self._delivered(chunk, draw) for chunk in torch.split(places, _CHUNK)])
            yield self._varied(shown, draw).byte().permute(0, 2, 3, 1), self.labels[places]

    def _delivered(self, places: Tensor, draw: _Draw) -> Tensor:
        """(B,) -> (B, 3, H, W) float32 levels, as `equalise` and then `resize` make them."""
        pixels, (heights, widths) = self.pixels[places], self.sizes[places].T
        aspect = draw.one_log_uniform(*equalise.ASPECTS)
        smallest = _CLOSE if draw.happens(_CLOSE_SHARE) else equalise.AREA_SCALE[0]
        wide = draw.uniform(len(places), smallest, 1) * torch.minimum(widths, heights * aspect)
        tall = wide / aspect
        left, top = (draw.uniform(len(places), 0, 1) * free for free in (widths - wide, heights - tall))
        side = draw.one_log_uniform(*equalise.SIDES)
        height, width = (round(side / max(1, aspect)), round(side * min(1, aspect)))
        by = draw.one_of(get_args(Filter))
        padded = self.pixels.shape[2]
        shown = resized(
            pixels,
            resizing(top, tall, heights, padded, height, by),
            resizing(left, wide, widths, padded, width, by),
        )
        full_chroma = draw.happens(equalise.FULL_CHROMA_SHARE)
        if draw.happens(equalise.SECOND_ROUND_SHARE):
            shown = jpeg(shown, draw.quality(len(places)), full_chroma=False)
        shown = jpeg(shown, draw.quality(len(places)), full_chroma=full_chroma)
        return self._fitted(shown)

    def _fitted(self, shown: Tensor) -> Tensor:
        """At the size that the network takes; like `resize`, which takes no means of cells of pictures as small."""
        start = torch.zeros(len(shown), device=self.device)
        by: Filter = self.spec.filter  # type: ignore[assignment]
        matrices = [
            resizing(start, start + length, start + length, length, wanted, by)
            for length, wanted in zip(shown.shape[2:], (self.spec.height, self.spec.width), strict=True)
        ]
        return resized(shown, *matrices)

    def _varied(self, shown: Tensor, draw: _Draw) -> Tensor:
        shown = torch.where(draw.some(shown, 0.5), shown.flip(3), shown)
        shown = torch.where(draw.some(shown, self.grey_share), luma(shown).round().expand_as(shown), shown)
        shown = torch.where(draw.some(shown, _RELIT_SHARE), _relit(shown, draw), shown)
        return torch.where(draw.some(shown, self.page_share), _on_a_page(shown, draw), shown)


class _Draw:
    """Random numbers for a batch: those for each picture on the device, those for a chunk on the CPU."""

    def __init__(self, seed: tuple[int, ...], device: torch.device) -> None:
        self.here = np.random.default_rng(seed)
        self.device = device
        self.there = torch.Generator(device).manual_seed(int(self.here.integers(2**62)))

    def happens(self, share: float) -> bool:
        return bool(self.here.random() < share)

    def one_of(self, choices: Sequence[Filter]) -> Filter:
        return choices[int(self.here.integers(len(choices)))]

    def one_log_uniform(self, low: float, high: float) -> float:
        return math.exp(self.here.uniform(math.log(low), math.log(high)))

    def uniform(self, count: int, low: float, high: float) -> Tensor:
        """(count,)"""
        return low + (high - low) * torch.rand(count, generator=self.there, device=self.device)

    def log_uniform(self, count: int, low: float, high: float) -> Tensor:
        return self.uniform(count, math.log(low), math.log(high)).exp()

    def quality(self, count: int) -> Tensor:
        low, high = equalise.QUALITIES
        return self.uniform(count, low, high + 1).floor()

    def some(self, shown: Tensor, share: float) -> Tensor:
        """(B, 1, 1, 1) bool"""
        return self.uniform(len(shown), 0, 1)[:, None, None, None] < share


def _relit(shown: Tensor, draw: _Draw) -> Tensor:
    """Other saturation, contrast, brightness and gamma, each a little, as people and their programs change them."""
    count = len(shown)
    saturation, contrast = (
        draw.uniform(count, *of)[:, None, None, None] for of in ((0.5, 1.4), (0.75, 1.25))
    )
    brighter = draw.uniform(count, -25, 25)[:, None, None, None]
    gamma = draw.log_uniform(count, 0.75, 1.33)[:, None, None, None]
    mean = shown.mean(1, keepdim=True)
    found = mean + (shown - mean) * saturation
    found = ((found - 128) * contrast + 128 + brighter).clamp(0, 255)
    return (255 * (found / 255).pow(gamma)).round()


def _on_a_page(shown: Tensor, draw: _Draw) -> Tensor:
    """As `variations.on_a_page`; the pictures of a batch share where they lie on it."""
    count, channels, height, width = shown.shape
    light, dark = (draw.uniform(count, *of).floor()[:, None, None, None] for of in ((200, 256), (0, 60)))
    paper = torch.where(draw.some(shown, 0.5), light, dark)
    page = paper.expand(count, channels, height, width).clone()
    for y in draw.here.integers(0, height - 2, 6).tolist():
        start, end = np.sort(draw.here.integers(0, width, 2)).tolist()
        page[:, :, y : y + 2, start:end] = 255 - paper
    tall, wide = (draw.here.uniform(0.5, 1, 2) * (height, width)).astype(int).tolist()
    y, x = draw.here.integers(0, (height - tall + 1, width - wide + 1)).tolist()
    smaller = functional.interpolate(shown, (tall, wide), mode="bilinear", antialias=True)
    page[:, :, y : y + tall, x : x + wide] = smaller.round()
    return page
