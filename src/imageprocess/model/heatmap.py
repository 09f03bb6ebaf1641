"""Renders the network's map of contributions as a heat map."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LOW, _HIGH = (255, 190, 0), (215, 0, 70)  # RGB of 0 and 1: lightness falls as the value rises
_MAX_OPACITY = 0.8  # the image stays visible at the maximum


def to_display(heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w) signed contributions to logit(ai) - logit(real) -> (h, w) float32, 0 to 1.

    Contributions to "real" become 0, the largest contribution to "ai" becomes 1; all 0 if there is none.
    """
    towards_ai = np.clip(heatmap, 0, None)
    largest = float(towards_ai.max(initial=0))
    return np.asarray(towards_ai / largest if largest > 0 else towards_ai, dtype=np.float32)


def overlay_png(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> bytes:
    """A PNG file of the map `heat` (h, w) of `to_display` over the image `pixels` (H, W, 3) uint8.

    The image is drawn in grey, so that colour shows only the map.
    """
    height, width = pixels.shape[:2]
    grey = Image.fromarray(np.asarray(heat * 255, dtype=np.uint8))
    smooth = np.asarray(grey.resize((width, height), Image.Resampling.BICUBIC), dtype=np.uint8)  # (H, W)
    levels = np.linspace(0, 1, 256)[:, None]
    colours = (_LOW + levels * np.subtract(_HIGH, _LOW)).astype(np.uint8)  # (256, 3)
    opacity = (levels[:, 0] * _MAX_OPACITY * 255).astype(np.uint8)  # (256,)
    picture = Image.fromarray(pixels).convert("L").convert("RGB")
    picture.paste(Image.fromarray(colours[smooth]), mask=Image.fromarray(opacity[smooth]))
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=1)
    return stream.getvalue()
