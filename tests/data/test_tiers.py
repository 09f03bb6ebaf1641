"""Each way of delivery does what it says, to any picture, the same every time."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from imageprocess.data.facts import estimate_jpeg_quality
from imageprocess.data.tiers import REPORT_TIERS, TIERS, DegradedFile, Original, apply_tier, open_original
from imageprocess.errors import CorruptImageError
from testkit.pictures import encode, gradient


def original(width: int = 1600, height: int = 1200, form: str = "PNG", **options: object) -> Original:
    return open_original(encode(gradient(width, height), form, **options), "drawn")


def opened(delivery: DegradedFile) -> Image.Image:
    return Image.open(io.BytesIO(delivery.data))


def quality(delivery: DegradedFile) -> int | None:
    return estimate_jpeg_quality(opened(delivery).quantization)


@pytest.mark.parametrize("tier", TIERS)
def test_every_tier_is_deterministic_and_gives_the_pixels_of_its_file(tier):
    first, again = apply_tier(original(300, 200), tier), apply_tier(original(300, 200), tier)
    assert first.data == again.data
    assert (np.asarray(opened(first).convert("RGB")) == first.pixels).all()


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("size", [(1, 1), (1, 400), (40, 30)])
def test_every_tier_accepts_tiny_images_and_never_enlarges(tier, size):
    delivered = apply_tier(original(*size), tier)
    height, width = delivered.pixels.shape[:2]
    assert min(width, height) >= 1
    if tier not in (
        "screenshot",
        "equalised",
    ):  # a canvas is larger; training's pipeline has a size of its own
        assert width <= size[0] and height <= size[1]


def test_every_tier_has_a_description():
    assert all(function.__doc__ for function in TIERS.values())
    assert len(REPORT_TIERS) == 9


def test_raw_is_the_file_itself():
    source_file = original(form="WEBP", quality=80)
    assert apply_tier(source_file, "raw").data is source_file.data


def test_clean_is_the_same_container_for_png_and_jpeg():
    for form in ("PNG", "JPEG"):
        delivered = apply_tier(original(form=form), "clean")
        assert opened(delivered).format == "JPEG" and quality(delivered) == 95
        assert opened(delivered).size == (1600, 1200)


def test_web_resizes_long_side_to_1024():
    delivered = apply_tier(original(), "web")
    assert opened(delivered).size == (1024, 768)
    assert 70 <= quality(delivered) <= 90


def test_social_resizes_twice():
    width, height = opened(apply_tier(original(), "social")).size
    assert 0.6 * 720 <= width <= 0.9 * 720 + 1
    assert width / height == pytest.approx(4 / 3, rel=0.02)


def test_hard_is_jpeg_40_at_full_size():
    delivered = apply_tier(original(), "hard")
    assert quality(delivered) == 40 and opened(delivered).size == (1600, 1200)


def test_thumb_is_256():
    assert opened(apply_tier(original(), "thumb")).size == (256, 192)


def test_crop_is_half_of_the_image_unscaled():
    source_file = original()
    delivered = apply_tier(source_file, "crop")
    height, width = delivered.pixels.shape[:2]
    assert width * height == pytest.approx(0.5 * 1600 * 1200, rel=0.01)
    # Red grows to the right in the drawing: the crop's own range of it is its share of the width.
    red = delivered.pixels[..., 0].mean(axis=0)
    assert red[-1] - red[0] == pytest.approx(255 * 0.5**0.5, abs=6)


def test_crop_position_depends_on_the_image():
    lefts = {int(apply_tier(original(1600 + i, 1200), "crop").pixels[0, 0, 0]) for i in range(4)}
    assert len(lefts) > 1


def test_greyscale_has_no_colour():
    pixels = apply_tier(original(), "greyscale").pixels
    assert (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all()


def test_screenshot_places_the_image_on_a_canvas():
    delivered = apply_tier(original(400, 300), "screenshot")
    assert opened(delivered).format == "PNG"
    height, width = delivered.pixels.shape[:2]
    assert height > 0.5 * 300 + 40 and width >= 0.5 * 400
    # The drawing's blue is 90 everywhere, and no theme's colour is.
    shown = (np.abs(delivered.pixels[..., 2].astype(int) - 90) <= 1).sum()
    assert 0.2 * 400 * 300 < shown < 400 * 300


def test_blank_preserves_only_size_and_container():
    for form, options in (("JPEG", {"quality": 37}), ("PNG", {})):
        delivered = apply_tier(original(form=form, **options), "blank")
        assert opened(delivered).format == form and opened(delivered).size == (1600, 1200)
        assert len(np.unique(delivered.pixels)) == 1
    assert quality(apply_tier(original(form="JPEG", quality=37), "blank")) == 37


def test_corrupt_files_are_rejected():
    with pytest.raises(CorruptImageError):
        open_original(encode(gradient(), "JPEG")[:200], "cut")
