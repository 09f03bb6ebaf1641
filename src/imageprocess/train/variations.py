"""Other ways of showing the same picture in training, at the size that the network takes: cheap, and alike for both
classes. Each takes and gives (H, W, 3) uint8 and draws from the generator that it is handed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SMALLEST = 0.5  # of the page's sides that a picture on it takes at least
_LINES = 6


def moved(pixels: NDArray[np.uint8], by: int, draw: np.random.Generator) -> NDArray[np.uint8]:
    """By up to `by` pixels either way; what comes in at an edge is reflected."""
    y, x = draw.integers(0, 2 * by, 2, endpoint=True).tolist()
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((by, by), (by, by), (0, 0)), mode="reflect")[y : y + height, x : x + width]


def greyed(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Without colour."""
    return np.asarray(Image.fromarray(pixels).convert("L").convert("RGB"))


def on_a_page(pixels: NDArray[np.uint8], draw: np.random.Generator) -> NDArray[np.uint8]:
    """Smaller, somewhere on a plain light or dark page with a bar and lines of text, as a screenshot shows it."""
    height, width = pixels.shape[:2]
    paper = draw.choice([draw.integers(0, 60), draw.integers(200, 256)]).astype(np.uint8)
    page = np.full_like(pixels, paper)
    ink = np.uint8(255 - paper)
    page[: draw.integers(0, height // 12)] = paper // 8 * 7 + ink // 8
    for y in draw.integers(0, height - 2, _LINES).tolist():
        x, to = np.sort(draw.integers(0, width, 2)).tolist()
        page[y : y + 2, x:to] = ink
    tall, wide = (draw.uniform(_SMALLEST, 1, 2) * (height, width)).astype(int).tolist()
    y, x = draw.integers(0, (height - tall + 1, width - wide + 1)).tolist()
    shown = Image.fromarray(pixels).resize((wide, tall), Image.Resampling.BILINEAR)
    page[y : y + tall, x : x + wide] = np.asarray(shown)
    return page
