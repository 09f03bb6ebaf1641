"""File facts, on files that the test encodes itself."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imageprocess.data.facts import estimate_jpeg_quality, read_facts
from imageprocess.errors import CorruptImageError, InputError
from testkit.pictures import encode, scene


@pytest.mark.parametrize("quality", [1, 2, 10, 24, 25, 49, 50, 51, 75, 92, 95, 99, 100])
def test_libjpeg_quality_is_exact(quality: int) -> None:
    assert read_facts(encode(scene(0), "JPEG", quality=quality)).jpeg_quality == quality


def test_other_quantisation_tables_map_to_the_nearest_quality() -> None:
    tables = Image.open(io.BytesIO(encode(scene(0), "JPEG", quality=80))).quantization
    nudged = {0: [value + (i % 7 == 0) for i, value in enumerate(tables[0])], 1: tables[1]}
    assert abs((estimate_jpeg_quality(nudged) or 0) - 80) <= 1


@pytest.mark.parametrize("tables", [None, {}, {1: [1] * 64}, {0: [1] * 10}])
def test_quality_is_none_without_luma_table(tables: dict[int, list[int]] | None) -> None:
    assert estimate_jpeg_quality(tables) is None


def test_jpeg_facts() -> None:
    data = encode(scene(0, 200, 100), "JPEG", quality=50, subsampling=2, progressive=True, comment=b"hello")
    facts = read_facts(data)
    assert (facts.format, facts.width, facts.height, facts.mode) == ("JPEG", 200, 100, "RGB")
    assert facts.bytes == len(data)
    assert facts.aspect == 2
    assert facts.bytes_per_pixel == pytest.approx(len(data) / 20_000)
    # At quality 50 libjpeg scales by 100 %: the table is Annex K's own, whose mean is 57.625.
    assert facts.jpeg_luma_mean == pytest.approx(57.625)
    assert facts.jpeg_subsampling == "4:2:0"
    assert facts.progressive and facts.has_text
    assert not (facts.has_exif or facts.has_xmp or facts.has_icc)


@pytest.mark.parametrize(("number", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_chroma_subsampling(number: int, name: str) -> None:
    assert read_facts(encode(scene(0), "JPEG", subsampling=number)).jpeg_subsampling == name


def test_a_grey_jpeg_has_no_chroma_to_subsample() -> None:
    facts = read_facts(encode(scene(0).convert("L"), "JPEG", quality=75))
    assert (facts.mode, facts.jpeg_subsampling, facts.jpeg_quality) == ("L", None, 75)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_metadata_is_detected(form: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
    bare = read_facts(encode(scene(0), form))
    assert not (bare.has_exif or bare.has_xmp or bare.has_icc or bare.has_text)
    extra: dict[str, object] = {"exif": exif, "icc_profile": b"\0" * 128}
    if form == "PNG":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        extra["pnginfo"] = info
    else:
        extra["xmp"] = xmp
    facts = read_facts(encode(scene(0), form, **extra))
    assert facts.has_exif and facts.has_xmp and facts.has_icc
    assert not facts.has_text, "XMP is not counted twice"


def test_png_facts() -> None:
    info = PngInfo()
    info.add_text("parameters", "a cat, steps: 20")
    facts = read_facts(encode(scene(0).convert("P"), "PNG", pnginfo=info))
    assert (facts.format, facts.mode, facts.has_text) == ("PNG", "P", True)
    assert facts.jpeg_quality is facts.jpeg_luma_mean is facts.jpeg_subsampling is None


def test_size_is_the_stored_size() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    facts = read_facts(encode(scene(0, 200, 100), "JPEG", exif=exif))
    assert (facts.width, facts.height) == (200, 100)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", encode(scene(0), "JPEG")[:40]])
def test_damaged_headers_are_named(data: bytes) -> None:
    with pytest.raises(CorruptImageError, match=r"^one\.jpg: "):
        read_facts(data, name="one.jpg")


def test_malformed_files_have_facts_or_a_clear_error(shared_dir: Path) -> None:
    seen = 0
    for path in sorted((shared_dir / "hostile").rglob("*")):
        if path.is_file() and path.stat().st_size < 2_000_000:
            with suppress(InputError):
                assert np.isfinite(read_facts(path.read_bytes()).bytes_per_pixel)
            seen += 1
    assert seen > 100
