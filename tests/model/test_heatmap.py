"""Heat maps for display."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from imageprocess.model.heatmap import overlay_png, to_display


def test_heatmap_shows_only_positive_contributions() -> None:
    actual = to_display(np.array([[-3.0, 0.0], [1.0, 4.0]], dtype=np.float32))
    assert actual.dtype == np.float32
    assert actual.tolist() == [[0, 0], [0.25, 1]]


def test_heatmap_without_positive_contributions_is_empty() -> None:
    assert to_display(np.full((3, 3), -1, dtype=np.float32)).max() == 0
    assert to_display(np.zeros((0, 0), dtype=np.float32)).size == 0


def test_overlay_covers_hot_regions() -> None:
    pixels = np.full((80, 120, 3), 128, dtype=np.uint8)
    heat = np.zeros((4, 4), dtype=np.float32)
    heat[0, 3] = 1  # top right
    image = Image.open(io.BytesIO(overlay_png(pixels, heat)))
    overlay = np.asarray(image).astype(int)
    assert image.format == "PNG" and overlay.shape == pixels.shape
    changed = np.abs(overlay - pixels).max(axis=2)
    assert changed[10, 105] > 80
    assert changed[40:, :60].max() == 0


def test_zero_heat_has_no_colour() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    overlay = Image.open(io.BytesIO(overlay_png(pixels, np.zeros((14, 14), dtype=np.float32))))
    grey = np.asarray(Image.fromarray(pixels).convert("L").convert("RGB"))
    assert np.array_equal(np.asarray(overlay), grey)
