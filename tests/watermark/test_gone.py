"""Images that are skipped in the search for dwtDct watermarks cannot contain one."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imageprocess import watermark
from imageprocess.decode import decode
from imageprocess.types import DecodedImage
from imageprocess.watermark.dwt_dct import find_mark
from imageprocess.watermark.payloads import PAYLOADS
from testkit.marks import Way, embed_dwt_dct


def _marked(side: int, grain: float, way: Way, payload: int) -> Image.Image:
    rng = np.random.default_rng(side)
    coarse = rng.integers(40, 215, (9, 13, 3), dtype=np.uint8)
    soft = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))
    grainy = np.clip(soft + rng.normal(0, grain, soft.shape), 0, 255).astype(np.uint8)
    return Image.fromarray(embed_dwt_dct(grainy, PAYLOADS[payload].bits, way))


def _saved(image: Image.Image, quality: int, subsampling: int) -> DecodedImage:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality, subsampling=subsampling)
    return decode(stream.getvalue())


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.uint8]]:
    """The images that were searched for a watermark."""
    images: list[NDArray[np.uint8]] = []
    from imageprocess.watermark import dwt_dct

    def recording_search(pixels: NDArray[np.uint8]) -> object:
        images.append(pixels)
        return find_mark(pixels)

    monkeypatch.setattr(dwt_dct, "find_mark", recording_search)
    return images


@pytest.mark.parametrize("side", [512, 1024, 2048])
@pytest.mark.parametrize("grain", [0, 3, 8])
@pytest.mark.parametrize(("way", "payload"), [("rounded", 0), ("rounded", 1), ("float", 2), ("swapped", 3)])
def test_skipped_images_have_no_watermark(
    side: int, grain: float, way: Way, payload: int, searched: list[NDArray[np.uint8]]
) -> None:
    image = _marked(side, grain, way, payload)
    for quality in (75, 90):
        saved = _saved(image, quality, subsampling=2)
        assert watermark.read_watermarks(saved) == [] and searched == []
        assert find_mark(saved.pixels) is None


@pytest.mark.parametrize(("quality", "subsampling"), [(75, 0), (75, 1), (91, 2), (100, 2)])
def test_other_images_are_searched(quality: int, subsampling: int, searched: list[NDArray[np.uint8]]) -> None:
    image = _marked(512, 3, "float", 2)
    watermark.read_watermarks(_saved(image, quality, subsampling))
    watermark.read_watermarks(_saved(image.convert("L"), quality, 0))
    assert len(searched) == 2


@pytest.mark.parametrize(("quality", "subsampling"), [(85, 0), (100, 2)])
def test_watermark_in_jpeg_is_read(quality: int, subsampling: int) -> None:
    (evidence,) = watermark.read_watermarks(_saved(_marked(1024, 3, "float", 2), quality, subsampling))
    assert evidence.detail["generator"] == "Stable Diffusion XL"
