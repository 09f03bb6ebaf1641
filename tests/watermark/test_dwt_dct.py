"""The dwtDct watermark, written by an independent embedder and read after compression and resizing."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imageprocess.decode import decode
from imageprocess.watermark import read_watermarks
from imageprocess.watermark.dwt_dct import find_mark
from imageprocess.watermark.payloads import PAYLOADS, Payload
from testkit.marks import Way, embed_dwt_dct

# As in the generators' source code.
SDXL = [int(b) for b in "101100111110110010010000011110111011000110011110"]
FLUX = [int(b) for b in "001010101111111010000111100111001111010100101110"]


def scene(seed: int = 0, height: int = 520, width: int = 776) -> NDArray[np.uint8]:
    """A soft, coloured image with some grain, like a photograph."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 215, (9, 13, 3), dtype=np.uint8)
    soft = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).astype(
        np.float64
    )
    return np.clip(soft + rng.normal(0, 3, soft.shape), 0, 255).astype(np.uint8)


def through(pixels: NDArray[np.uint8], **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def test_payloads_match_generators() -> None:
    bits = {(p.generator, len(p.bits)): p.bits.tolist() for p in PAYLOADS}
    assert bits["Stable Diffusion XL", 48] == SDXL
    assert bits["Flux", 48] == FLUX and bits["Flux", 46] == FLUX[2:]
    assert (
        np.packbits(np.array(bits["Stable Diffusion 1", 136], dtype=np.uint8)).tobytes()
        == b"StableDiffusionV1"
    )
    assert np.packbits(np.array(bits["Stable Diffusion 2", 32], dtype=np.uint8)).tobytes() == b"SDV2"


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda p: f"{p.generator} {len(p.bits)}")
@pytest.mark.parametrize("way", ["rounded", "float", "swapped"])
def test_every_payload_is_read_from_every_encoding(payload: Payload, way: Way) -> None:
    hit = find_mark(embed_dwt_dct(scene(), payload.bits, way))
    assert hit is not None and hit.payload.generator == payload.generator


@pytest.mark.parametrize(
    "options",
    [
        {"format": "PNG"},
        {"format": "WEBP", "lossless": True},
        {"format": "JPEG", "quality": 95, "subsampling": 0},
        {"format": "JPEG", "quality": 90, "subsampling": 0},
    ],
    ids=["png", "webp-lossless", "jpeg95-444", "jpeg90-444"],
)
def test_watermark_survives_mild_compression(options: dict[str, object]) -> None:
    image = decode(through(embed_dwt_dct(scene(), np.array(SDXL, dtype=np.uint8), "float"), **options))
    (item,) = read_watermarks(image)
    assert (item.kind, item.trust, item.points_to) == ("watermark", "measured", "ai")
    assert item.detail["generator"] == "Stable Diffusion XL" and item.detail["wrong_bits"] <= 4
    assert item.detail["proves"] and item.detail["does_not_prove"]


def test_resize_and_crop_destroy_watermark() -> None:
    marked = embed_dwt_dct(scene(), np.array(SDXL, dtype=np.uint8))
    half = np.asarray(Image.fromarray(marked).resize((388, 260), Image.Resampling.LANCZOS))
    assert find_mark(half) is None
    assert find_mark(marked[3:, 5:]) is None


def test_four_bit_errors_are_a_hit_and_five_are_not() -> None:
    for wrong, is_hit in ((4, True), (5, False)):
        bits = np.array(SDXL, dtype=np.uint8)
        bits[:wrong] ^= 1
        hit = find_mark(embed_dwt_dct(scene(1), bits))
        assert (hit is not None) is is_hit
        assert hit is None or hit.wrong == wrong


@pytest.mark.parametrize("seed", range(20))
def test_no_false_positive_on_unmarked_images(seed: int) -> None:
    assert find_mark(scene(seed)) is None


def test_flat_and_small_images_have_no_watermark() -> None:
    for value in (0, 127, 128, 255):
        assert find_mark(np.full((300, 300, 3), value, dtype=np.uint8)) is None
    assert find_mark(embed_dwt_dct(scene(0, 250, 250), np.array(SDXL, dtype=np.uint8))) is None
    for height, width in ((1, 70_000), (70_000, 1), (3, 40_000)):
        assert find_mark(np.zeros((height, width, 3), dtype=np.uint8)) is None


def test_only_top_of_huge_image_is_searched() -> None:
    """Four megapixels give enough votes; the watermark repeats from the top."""
    marked = embed_dwt_dct(scene(2, 4000, 2000), np.array(SDXL, dtype=np.uint8))
    hit = find_mark(marked)
    assert hit is not None and hit.blocks <= 65_536
