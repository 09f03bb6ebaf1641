"""Pillow's resize and JPEG, many pictures at once, against Pillow itself."""

from __future__ import annotations

import io
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from imageprocess.train import batched
from imageprocess.train.batched import Filter, jpeg, resized, resizing
from testkit.photos import photo


def picture(seed: int, size: tuple[int, int]) -> Image.Image:
    return Image.open(io.BytesIO(photo(seed, size))).convert("RGB")


def planes(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@pytest.mark.parametrize("by", get_args(Filter))
def test_a_resize_is_pillows(by: Filter) -> None:
    """A window of each of two pictures of different sizes, shrunk down and enlarged across."""
    images = [picture(0, (190, 200)), picture(3, (256, 140))]
    boxes = [(10.25, 20.5, 90.75, 180.0), (0.0, 3.0, 120.5, 139.0)]
    pixels = torch.zeros(2, 3, 256, 256, dtype=torch.uint8)
    for place, image in enumerate(images):
        pixels[place, :, : image.height, : image.width] = planes(image)
    left, top, right, bottom = torch.tensor(boxes).T
    widths, heights = torch.tensor([image.size for image in images]).T
    found = resized(
        pixels,
        resizing(top, bottom - top, heights, 256, 60, by),
        resizing(left, right - left, widths, 256, 230, by),
    )
    method = Image.Resampling[by.upper()]
    for shown, image, box in zip(found, images, boxes, strict=True):
        wanted = planes(image.resize((230, 60), method, box=box)).float()
        # Pillow rounds to whole levels between the two directions.
        assert (shown - wanted).abs().mean() < 0.4
        assert (shown - wanted).abs().max() <= (
            6 if by == "box" else 3
        )  # of a box the edges may fall either way
        assert (shown == shown.round()).all()


@pytest.mark.parametrize("precision", [torch.float32, torch.float16])  # on a CPU, and on a GPU
@pytest.mark.parametrize("full_chroma", [False, True])
def test_a_jpeg_loses_what_pillows_loses(
    full_chroma: bool, precision: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two qualities in one batch; sides that are no multiples of a block's."""
    monkeypatch.setattr(batched, "_precision", lambda pixels: precision)
    image = picture(1, (203, 149))
    found = jpeg(
        planes(image).float()[None].repeat(2, 1, 1, 1), torch.tensor([45.0, 90.0]), full_chroma=full_chroma
    )
    for shown, quality in zip(found, (45, 90), strict=True):
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality, subsampling=0 if full_chroma else 2)
        wanted = planes(Image.open(stream)).float()
        lost = (wanted - planes(image).float()).abs().mean()
        assert (shown - wanted).abs().mean() < 0.3 + lost / 3


def test_a_jpeg_of_quality_100_loses_next_to_nothing() -> None:
    pixels = planes(picture(2, (64, 48))).float()[None]
    assert (jpeg(pixels, torch.tensor([100.0]), full_chroma=True) - pixels).abs().mean() < 0.7
