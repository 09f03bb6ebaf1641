"""Views of an image: the whole, then native crops with the most texture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from imageprocess.model.spec import InputSpec
from imageprocess.model.views import cut_views

SPEC = InputSpec(32, 32, "bicubic", (0.5,) * 3, (0.5,) * 3)


def _picture(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(width * height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_first_view_is_whole_image_squashed() -> None:
    pixels = _picture(100, 60)
    expected = Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC)
    assert np.array_equal(cut_views(pixels, SPEC, 1)[0], np.asarray(expected))


def test_crops_are_native_and_sorted_by_texture() -> None:
    pixels = np.full((200, 300, 3), 128, dtype=np.uint8)
    pixels[100:, 150:] = _picture(150, 100)  # the lower right quarter
    views = cut_views(pixels, SPEC, 2)
    left, top = round(0.75 * (300 - 32)), round(0.75 * (200 - 32))
    assert np.array_equal(views[1], pixels[top : top + 32, left : left + 32])
    assert views[1].std() > views[2].std()


@pytest.mark.parametrize("size", [(1, 1), (8, 40), (40, 8), (31, 32), (33, 500)])
def test_any_image_size_gives_full_views(size: tuple[int, int]) -> None:
    assert cut_views(_picture(*size), SPEC, 3).shape == (4, 32, 32, 3)


def test_views_are_deterministic() -> None:
    flat = np.full((64, 64, 3), 7, dtype=np.uint8)  # equal texture everywhere: positional order
    assert np.array_equal(cut_views(flat, SPEC, 4), cut_views(flat, SPEC, 4))
