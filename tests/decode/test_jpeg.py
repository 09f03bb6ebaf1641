"""The fast JPEG decoder is bit-exact with Pillow or falls back to it."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from imageprocess.decode import decode, jpeg
from imageprocess.errors import InputError
from testkit.pictures import encode, gradient, scene

pytest.importorskip("simplejpeg", reason="needs the extra [fast]")


def _pillow(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data))
    return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def _fast(data: bytes) -> np.ndarray | None:
    with Image.open(io.BytesIO(data)) as image:
        return jpeg.decode_jpeg(image, data)


def _noise(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width * height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize(("quality", "progressive"), [*itertools.product([30, 75, 90, 100], [False, True])])
def test_fast_jpeg_matches_pillow(subsampling: int, quality: int, progressive: bool) -> None:
    for picture in (_noise(67, 51), scene(3, 161, 240), _noise(1, 1), _noise(17, 8)):
        data = encode(picture, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive)
        fast = _fast(data)
        assert fast is not None and np.array_equal(fast, _pillow(data))


@pytest.mark.parametrize("options", [{"restart_marker_blocks": 3}, {"optimize": True}, {"keep_rgb": True}])
def test_jpeg_encoding_variants(options: dict[str, object]) -> None:
    data = encode(_noise(77, 43), "JPEG", quality=88, **options)
    fast = _fast(data)
    assert fast is not None and np.array_equal(fast, _pillow(data))


@pytest.mark.parametrize("orientation", range(10))
def test_every_exif_orientation(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(gradient(), "JPEG", exif=exif)
    fast = _fast(data)
    assert fast is not None and np.array_equal(fast, _pillow(data))
    decoded = decode(data)
    assert np.array_equal(decoded.pixels, fast) and decoded.pixels.flags.c_contiguous


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_use_pillow(mode: str) -> None:
    data = encode(gradient().convert(mode), "JPEG", quality=92)
    assert _fast(data) is None
    assert np.array_equal(decode(data).pixels, _pillow(data))


def test_decoder_warnings_fall_back_to_pillow() -> None:
    data = encode(_noise(64, 64), "JPEG")
    assert _fast(data[: len(data) // 2]) is None
    assert _fast(data[:-300] + bytes(300)) is None


def test_pillow_without_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(gradient(), "JPEG")
    monkeypatch.setattr(jpeg, "_library", lambda: None)
    assert _fast(data) is None
    assert np.array_equal(decode(data).pixels, _pillow(data))


def test_real_and_hostile_files_match_pillow(shared_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixels or the error, of the available decoder."""
    files = [path for path in shared_dir.rglob("*") if path.is_file() and path.stat().st_size < 1_000_000]
    jpegs = [data for data in (path.read_bytes() for path in files) if data[:3] == b"\xff\xd8\xff"]
    assert len(jpegs) > 20
    fast = [_outcome(data) for data in jpegs]
    monkeypatch.setattr(jpeg, "_library", lambda: None)
    for data, actual in zip(jpegs, fast, strict=True):
        reference = _outcome(data)
        assert type(actual) is type(reference)
        if isinstance(reference, np.ndarray):
            assert np.array_equal(actual, reference)
        else:
            assert actual == reference


def _outcome(data: bytes) -> np.ndarray | str:
    try:
        return decode(data).pixels
    except InputError as error:
        return str(error)
