"""Renders the network's contribution map as a heat map."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_WARM, _HOT = (255, 190, 0), (215, 0, 70)  # RGB at no heat and at the most: lightness falls as heat rises
_MAX_OPACITY = 0.8  # the picture stays visible under the hottest place


def to_display(heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w) signed contributions to logit(ai) - logit(real) -> (h, w) float32, 0 to 1.

    Contributions to "real" become 0, the largest contribution to "ai" becomes 1; all 0 if there is none.
    """
    towards_ai = np.clip(heatmap, 0, None)
    top = float(towards_ai.max(initial=0))
    return np.asarray(towards_ai / top if top > 0 else towards_ai, dtype=np.float32)


def overlay_png(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> bytes:
    """A picture (H, W, 3) uint8 and `to_display`'s map (h, w) -> the map over the picture, a PNG file.

    The image is drawn in grey, so that colour shows only heat.
    """
    height, width = pixels.shape[:2]
    grey = Image.fromarray(np.asarray(heat * 255, dtype=np.uint8))
    smooth = np.asarray(grey.resize((width, height), Image.Resampling.BICUBIC), dtype=np.uint8)  # (H, W)
    levels = np.linspace(0, 1, 256)[:, None]
    colours = (_WARM + levels * np.subtract(_HOT, _WARM)).astype(np.uint8)  # (256, 3)
    opacity = (levels[:, 0] * _MAX_OPACITY * 255).astype(np.uint8)  # (256,)
    picture = Image.fromarray(pixels).convert("L").convert("RGB")
    picture.paste(Image.fromarray(colours[smooth]), mask=Image.fromarray(opacity[smooth]))
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=1)
    return stream.getvalue()
