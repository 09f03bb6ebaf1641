"""Decoding of every format, colour mode and orientation."""

from __future__ import annotations

import struct
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imageprocess.decode import Limits, decode
from imageprocess.errors import (
    CorruptImageError,
    TooLargeError,
    TooManyPixelsError,
    UnsupportedFormatError,
)
from testkit.pictures import blank, corners, encode, gradient

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {}, "WEBP": {"lossless": True}}


@pytest.mark.parametrize("form", FORMATS)
def test_decode_facts_and_pixels_of_each_format(form: str) -> None:
    data = encode(gradient(), form)
    image = decode(data)
    facts = image.facts
    assert (facts.format, facts.width, facts.height, facts.frames, facts.bytes) == (
        form,
        64,
        48,
        1,
        len(data),
    )
    assert image.pixels.shape == (48, 64, 3) and image.pixels.dtype == np.uint8
    assert image.alpha is None
    assert (
        np.abs(image.pixels.astype(int) - np.asarray(gradient(), dtype=int)).mean() < 12
    )  # GIF has 256 colours


@pytest.mark.parametrize("form", LOSSLESS)
def test_lossless_formats_are_bit_exact(form: str) -> None:
    assert np.array_equal(decode(encode(gradient(), form, **LOSSLESS[form])).pixels, np.asarray(gradient()))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd"])
def test_compressed_tiff(compression: str) -> None:
    assert np.array_equal(
        decode(encode(gradient(), "TIFF", compression=compression)).pixels, np.asarray(gradient())
    )


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (6, Image.Transpose.ROTATE_270),
        (8, Image.Transpose.ROTATE_90),
    ],
)
def test_exif_orientation_is_applied(form: str, orientation: int, turn: Image.Transpose) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode(encode(gradient(), form, exif=exif, quality=95))
    expected = np.asarray(gradient().transpose(turn))
    assert (image.facts.width, image.facts.height) == (expected.shape[1], expected.shape[0])
    assert np.abs(image.pixels.astype(int) - expected.astype(int)).max() < 40


def test_damaged_exif_does_not_affect_pixels() -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\xff\xff\xff\xff" * 4
    assert decode(encode(gradient(), "JPEG", exif=exif)).facts.width == 64


@pytest.mark.parametrize("form", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_alpha_is_composited_on_white_and_kept(form: str) -> None:
    image = gradient().convert("RGBA")
    alpha = np.zeros((48, 64), dtype=np.uint8)
    alpha[:, 32:] = 255
    image.putalpha(Image.fromarray(alpha))
    decoded = decode(encode(image, form, **LOSSLESS.get(form, {})))
    assert decoded.alpha is not None and np.abs(decoded.alpha.astype(int) - alpha).max() < 4
    assert decoded.pixels[:, :28].min() > 250
    assert decoded.pixels[:, 40:, 2].max() < 110


def test_grey_with_alpha() -> None:
    decoded = decode(encode(Image.new("LA", (9, 7), (100, 0)), "PNG"))
    assert corners(decoded.pixels) == [(255, 255, 255)] * 4
    assert decoded.alpha is not None and decoded.alpha.max() == 0


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_palette_with_transparent_colour(form: str) -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(0, (0, 0, 4, 8))
    decoded = decode(encode(image, form, transparency=0))
    assert corners(decoded.pixels) == [(255, 255, 255), (200, 100, 50)] * 2
    assert decoded.alpha is not None and (decoded.alpha[0, 0], decoded.alpha[0, 7]) == (0, 255)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_other_colour_modes(mode: str) -> None:
    image = blank(255).convert(mode)
    image.paste(blank(0, width=32).convert(mode), (0, 0))
    actual = corners(decode(encode(image, "TIFF")).pixels)
    assert [
        max(abs(v - want) for v in corner) < 5 for corner, want in zip(actual, (0, 255) * 2, strict=True)
    ] == [True] * 4


def test_cmyk_jpeg_is_not_inverted() -> None:
    assert decode(encode(blank(255).convert("CMYK"), "JPEG", quality=95)).pixels.min() > 245


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_range(form: str) -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(4, axis=0)
    pixels = decode(encode(Image.fromarray(ramp), form)).pixels
    assert np.array_equal(pixels[..., 0], (ramp >> 8).astype(np.uint8))


def test_16_bit_grey_with_transparent_value() -> None:
    tones = np.array([[0, 300, 65535]], dtype=np.uint16)
    decoded = decode(_png(3, 1, 16, 0, tones.astype(">u2").tobytes(), (b"tRNS", struct.pack(">H", 300))))
    assert decoded.alpha is not None and decoded.alpha.tolist() == [[255, 0, 255]]
    assert decoded.pixels[0, :, 0].tolist() == [0, 255, 255]


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_16_bit_colour_and_alpha_png(colour_type: int, channels: int) -> None:
    samples = np.full((1, 5, channels), 0x80FF, dtype=">u2")
    if channels in (2, 4):
        samples[..., -1] = 0xFFFF
    pixels = decode(_png(5, 1, 16, colour_type, samples.tobytes())).pixels
    assert set(pixels.ravel().tolist()) <= {0x80, 0x81}


@pytest.mark.parametrize(
    ("tones", "expected"),
    [
        ([-5.0, 100.0, 255.0, np.nan, np.inf], [0, 100, 255, 0, 255]),
        ([-0.1, 0.2, 1.0, np.nan, np.inf], [0, 51, 255, 0, 255]),
        ([k / 255 for k in range(256)], list(range(256))),
        ([0.0, np.nan, -np.inf], [0, 0, 0]),
    ],
)
def test_float_tiff_white_is_1_or_255(tones: list[float], expected: list[int]) -> None:
    image = Image.fromarray(np.array([tones], dtype=np.float32))
    assert decode(encode(image, "TIFF")).pixels[0, :, 0].tolist() == expected


@pytest.mark.parametrize(
    ("tones", "expected"), [([0, 300, 65535], [0, 1, 255]), ([0, 100, 255], [0, 100, 255])]
)
def test_32_bit_tiff_white_is_65535_or_255(tones: list[int], expected: list[int]) -> None:
    image = Image.fromarray(np.array([tones], dtype=np.int32))
    assert decode(encode(image, "TIFF")).pixels[0, :, 0].tolist() == expected


@pytest.mark.parametrize("tones", [np.array([[0, 900]], np.float32), np.array([[0, 65536]], np.int32)])
def test_values_of_other_range_are_unsupported(tones: np.ndarray) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"a\.tif: .* save it with 8 or 16 bits"):
        decode(encode(Image.fromarray(tones), "TIFF"), name="a.tif")


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_first_frame_is_decoded(form: str) -> None:
    frames = [blank(250), blank(120), blank(5)]
    decoded = decode(encode(frames[0], form, save_all=True, append_images=frames[1:]))
    assert decoded.facts.frames == 3
    assert decoded.pixels.min() > 240


def test_mpo_is_read_as_jpeg() -> None:
    data = encode(blank(250), "MPO", save_all=True, append_images=[blank(5)])
    decoded = decode(data)
    assert (decoded.facts.format, decoded.facts.frames) == ("JPEG", 1)
    assert decoded.pixels.min() > 240


def test_icc_profile_is_ignored() -> None:
    from PIL import ImageCms

    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    assert np.array_equal(decode(encode(gradient(), "PNG", icc_profile=lab)).pixels, np.asarray(gradient()))


@pytest.mark.parametrize("form", FORMATS)
def test_truncated_file_is_corrupt(form: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = encode(noise, form)
    with pytest.raises(CorruptImageError, match=r"a\.img: "):
        decode(data[: len(data) // 2], name="a.img")


def test_empty_file_is_corrupt() -> None:
    with pytest.raises(CorruptImageError, match="empty"):
        decode(b"")


@pytest.mark.parametrize("data", [b"hello, world", b"%PDF-1.7\n", b"<svg xmlns='x'/>", b"\0" * 100, b"BM"])
def test_non_image_is_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedFormatError, match="JPEG, PNG"):
        decode(data)


def test_jpeg_named_png_is_jpeg() -> None:
    assert decode(encode(gradient(), "JPEG"), name="x.png").facts.format == "JPEG"


def test_zero_sized_png_is_corrupt() -> None:
    with pytest.raises(CorruptImageError):
        decode(_png(0, 0, 8, 2, b""))


@pytest.mark.parametrize("side", [65_000, 10_001])
def test_decompression_bomb_is_rejected_by_header(side: int) -> None:
    with pytest.raises(TooManyPixelsError, match=f"{side}|pixels"):
        decode(_png(side, side, 8, 2, b""))


def test_limits_are_arguments() -> None:
    data = encode(gradient(), "PNG")
    assert decode(data, limits=Limits(max_bytes=len(data), max_pixels=64 * 48)).facts.width == 64
    with pytest.raises(TooLargeError):
        decode(data, limits=Limits(max_bytes=len(data) - 1))
    with pytest.raises(TooManyPixelsError, match="64 x 48"):
        decode(data, limits=Limits(max_pixels=64 * 48 - 1))


def test_decode_works_with_warnings_as_errors() -> None:
    """Pillow warns about palettes with transparency in bytes."""
    data = _png(2, 1, 8, 3, b"\0\1", (b"PLTE", bytes(6)), (b"tRNS", b"\0\x80"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(data).alpha is not None


def test_heic_needs_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)  # makes the import fail
    with pytest.raises(UnsupportedFormatError, match=r"pip install 'imageprocess\[heic\]'"):
        decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50), name="phone.heic")


def test_heic(shared_dir: Path) -> None:
    pytest.importorskip("pi_heif")
    data = (shared_dir / "fixtures" / "provenance" / "camera-img_5195.heic").read_bytes()
    decoded = decode(data)
    assert decoded.facts.format == "HEIC"
    assert decoded.pixels.shape == (decoded.facts.height, decoded.facts.width, 3)
    assert decoded.facts.height > decoded.facts.width  # a portrait image, stored rotated
    with pytest.raises(CorruptImageError):
        decode(data[: len(data) // 2])
    with pytest.raises(TooManyPixelsError):
        decode(data, limits=Limits(max_pixels=1000))


def _png(
    width: int, height: int, depth: int, colour_type: int, raw: bytes, *extra: tuple[bytes, bytes]
) -> bytes:
    """A PNG assembled from chunks, for variants that Pillow does not write. `raw`: samples of all rows."""
    row_bytes = len(raw) // height if height else 0
    rows = b"".join(
        b"\0" + raw[y * row_bytes : (y + 1) * row_bytes] for y in range(height if row_bytes else 0)
    )
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
