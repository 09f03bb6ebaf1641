"""Tiers of degradation: the ways in which images are re-encoded and resized before people see them.

A tier is a function (original, random generator) -> degraded file. It is the same for both classes, seeded by the bytes
of the image, and never enlarges an image. The detector gets the degraded file, decoded again.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..decode import Limits, decode
from .equalise import equalise, picture_seed

Pixels = NDArray[np.uint8]  # (H, W, 3)

# The service's limit: two workers with a 100-megapixel image each would exceed 2 GB.
LIMITS = Limits(max_pixels=50_000_000)


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    data: bytes  # the file
    format: str
    pixels: Pixels
    sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class DegradedFile:
    data: bytes
    pixels: Pixels


def open_original(data: bytes, name: str) -> Original:
    """Decode an image once for all tiers; `name` is used in errors. Raises InputError."""
    image = decode(data, name=name, limits=LIMITS)
    return Original(data, image.facts.format, image.pixels, hashlib.sha256(data).hexdigest())


def apply_tier(original: Original, tier: str) -> DegradedFile:
    """Degrade `original` by the tier of that name in TIERS; deterministic."""
    seed = [int(original.sha256[:16], 16), zlib.crc32(tier.encode())]
    data = TIERS[tier](original, np.random.default_rng(seed))
    if data is original.data:
        return DegradedFile(data, original.pixels)
    return DegradedFile(data, decode(data, name=tier).pixels)


def raw(original: Original, rng: np.random.Generator) -> bytes:
    """The file as it is."""
    return original.data


def clean(original: Original, rng: np.random.Generator) -> bytes:
    """The same container for both classes: JPEG 95."""
    return _jpeg(_image(original), 95)


def web(original: Original, rng: np.random.Generator) -> bytes:
    """Republished on web pages: long side at most 1024, JPEG 75, then another JPEG round of quality 70 to 90."""
    once = _jpeg(_shrink(_image(original), 1024), 75)
    return _jpeg(_reopen(once), int(rng.integers(70, 91)))


def social(original: Original, rng: np.random.Generator) -> bytes:
    """A social network's feed: long side at most 720, JPEG 60, then resized to 60 to 90 % and saved at quality 85."""
    posted = _reopen(_jpeg(_shrink(_image(original), 720), 60))
    return _jpeg(_scale(posted, float(rng.uniform(0.6, 0.9))), 85)


def hard(original: Original, rng: np.random.Generator) -> bytes:
    """Full size, JPEG 40."""
    return _jpeg(_image(original), 40)


def thumb(original: Original, rng: np.random.Generator) -> bytes:
    """A thumbnail: long side at most 256, JPEG 85."""
    return _jpeg(_shrink(_image(original), 256), 85)


def crop(original: Original, rng: np.random.Generator) -> bytes:
    """Half of the area at a random place, same aspect ratio, JPEG 95."""
    image = _image(original)
    width, height = (max(1, round(side * 0.5**0.5)) for side in image.size)
    left = int(rng.integers(0, image.width - width + 1))
    top = int(rng.integers(0, image.height - height + 1))
    return _jpeg(image.crop((left, top, left + width, top + height)), 95)


def greyscale(original: Original, rng: np.random.Generator) -> bytes:
    """Greyscale, JPEG 95."""
    return _jpeg(_image(original).convert("L"), 95)


def screenshot(original: Original, rng: np.random.Generator) -> bytes:
    """A screenshot: resized by a random factor, on a canvas with bars and text lines, PNG."""
    image = _scale(_shrink(_image(original), 1280), float(rng.uniform(0.5, 1.0)))
    left, right = (int(side) for side in rng.integers(0, 160, 2))
    top, bottom = (int(side) for side in rng.integers(40, 120, 2))
    paper, bar, ink = _THEMES[rng.integers(len(_THEMES))]
    canvas = Image.new("RGB", (left + image.width + right, top + image.height + bottom), paper)
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, canvas.width, 32), fill=bar)
    for button in range(3):
        draw.ellipse((12 + 20 * button, 10, 24 + 20 * button, 22), fill=ink)
    for y in range(top + image.height + 8, canvas.height - 6, 14):
        draw.rectangle((left + 4, y, left + 4 + int(rng.integers(20, max(21, image.width))), y + 5), fill=ink)
    canvas.paste(image, (left, top))
    return _png(canvas)


def equalised(original: Original, rng: np.random.Generator) -> bytes:
    """The equalisation of training: random re-encoding and resizing, with the image's own seed."""
    return equalise(original.pixels, picture_seed(original.sha256)).data


def blank(original: Original, rng: np.random.Generator) -> bytes:
    """A control: a mid-grey image of the same size and format, which contains no information on the class."""
    grey = Image.new("RGB", _image(original).size, (128, 128, 128))
    if original.format == "JPEG":
        stream = io.BytesIO()
        with Image.open(io.BytesIO(original.data), formats=["JPEG", "MPO"]) as image:
            tables = getattr(image, "quantization", None)
        # Over 255 in a table means 12-bit precision, which Pillow does not write.
        coarse = tables and max(max(table) for table in tables.values()) > 255
        grey.save(stream, "JPEG", qtables=None if coarse else tables)
        return stream.getvalue()
    return _png(grey)


# Background, bar and text colours of the screenshot: a light and a dark scheme.
_THEMES = (
    ((255, 255, 255), (228, 228, 231), (82, 82, 91)),
    ((24, 24, 27), (39, 39, 42), (161, 161, 170)),
)
TIERS: dict[str, Callable[[Original, np.random.Generator], bytes]] = {
    "raw": raw,
    "clean": clean,
    "web": web,
    "social": social,
    "hard": hard,
    "thumb": thumb,
    "screenshot": screenshot,
    "crop": crop,
    "greyscale": greyscale,
    "equalised": equalised,
    "blank": blank,
}
# The tiers of a full report. `equalised` is for the splits of a training set, `blank` is a sanity check.
REPORT_TIERS = tuple(name for name in TIERS if name not in ("equalised", "blank"))


def _image(original: Original) -> Image.Image:
    return Image.fromarray(original.pixels)


def _shrink(image: Image.Image, long_side: int) -> Image.Image:
    return _scale(image, min(1.0, long_side / max(image.size)))


def _scale(image: Image.Image, factor: float) -> Image.Image:
    width, height = (max(1, round(side * factor)) for side in image.size)
    return image if (width, height) == image.size else image.resize((width, height), Image.Resampling.BICUBIC)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)  # 4:2:0, what most encoders write
    return stream.getvalue()


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)  # lossless at any level; 1 is several times faster
    return stream.getvalue()


def _reopen(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg), formats=["JPEG"])
