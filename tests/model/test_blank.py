"""Detection of blank images."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imageprocess.api import detect
from imageprocess.model.blank import is_blank
from testkit.pictures import blank, encode, gradient, plain, scene


def _pixels(data: bytes) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (200, 0, 0), (17, 90, 200)])
@pytest.mark.parametrize("size", [(1, 1), (3, 700), (640, 480), (4000, 3000)])
def test_single_colour_is_blank(colour: tuple[int, int, int], size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, colour)
    assert is_blank(np.asarray(picture))
    assert is_blank(_pixels(encode(picture, "JPEG", quality=40)))


def test_dot_is_nearly_blank_and_drawing_is_not() -> None:
    page = blank(255, 800, 600)
    ImageDraw.Draw(page).ellipse((380, 280, 420, 320), fill=(0, 0, 0))
    assert is_blank(np.asarray(page))
    ImageDraw.Draw(page).ellipse((200, 100, 600, 500), outline=(0, 0, 0), width=20)
    assert not is_blank(np.asarray(page))


@pytest.mark.parametrize("picture", [plain(250), plain(5, 700, 500), scene(1), gradient(700, 500)])
def test_grain_and_gradient_are_not_blank(picture: Image.Image) -> None:
    assert not is_blank(np.asarray(picture))


@pytest.mark.parametrize("brightness", [0, 128, 255])
def test_blank_image_is_unsure(brightness: int) -> None:
    verdict = detect(encode(blank(brightness, 640, 480), "PNG")).verdict
    assert verdict and (verdict.label, verdict.grade) == ("unsure", "cannot_tell")
    assert "cannot be assessed" in verdict.reason
