"""PIL images and arrays give the same result as their file."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import imageprocess
from imageprocess import sources
from imageprocess.decode import decode
from imageprocess.errors import UsageError
from testkit.pictures import encode, gradient


def _pixels(inputs: Any) -> Any:
    source = sources.to_source(inputs, max_bytes=10_000_000)
    assert source.data is not None
    return decode(source.data, name=source.name).pixels


def test_array_input() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (31, 17, 3), dtype=np.uint8)
    assert np.array_equal(_pixels(pixels), pixels)
    assert np.array_equal(_pixels(pixels[::-1, ::2]), pixels[::-1, ::2])


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I;16", "I", "F"]
)
def test_pillow_image_of_every_mode(mode: str) -> None:
    image = Image.linear_gradient("L").convert("RGB" if mode in ("HSV", "LAB", "YCbCr") else "L")
    if mode == "LAB":
        made = Image.new("LAB", (9, 9))
    elif mode == "I;16":
        made = Image.fromarray(np.full((9, 9), 40_000, dtype=np.uint16))
    elif mode == "PA":
        made = image.convert("P").convert("PA")
    else:
        made = image.convert(mode)
    assert _pixels(made).shape == (made.height, made.width, 3)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
def test_open_pillow_file_matches_path(form: str, tmp_path: Path, tiny_model_dir: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    path = tmp_path / f"a.{form.lower()}"
    Image.open(io.BytesIO(encode(gradient(40, 20), "PNG"))).save(path, form, exif=exif)
    from_path = imageprocess.detect(path, model=tiny_model_dir)
    with Image.open(path) as image:
        from_image = imageprocess.detect(image, model=tiny_model_dir)
    assert from_image.verdict is not None and from_path.verdict is not None
    assert from_image.verdict.probability_ai == from_path.verdict.probability_ai
    assert from_image.source == str(path) and from_image.image is not None and from_path.image is not None
    assert (from_image.image.width, from_image.image.height) == (
        from_path.image.width,
        from_path.image.height,
    )


def test_transparency_is_kept() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([0, 0, 0] * 256)
    image.info["transparency"] = 0
    assert (_pixels(image) == 255).all()  # composited on white


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 8, 8), np.uint8), np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
    ],
)  # fmt: skip
def test_invalid_array_error_names_expected_shape(array: Any, tiny_model_dir: Path) -> None:
    with pytest.raises(UsageError, match="give height x width x 3 uint8"):
        imageprocess.detect(array, model=tiny_model_dir)
    with pytest.raises(UsageError, match="detect_many needs an iterable"):
        imageprocess.detect_many(array, model=tiny_model_dir)


def test_many_arrays_and_images(tiny_model_dir: Path) -> None:
    pixels = np.random.default_rng(1).integers(230, 256, (2, 16, 16, 3)).astype(np.uint8)
    results = list(imageprocess.detect_many(pixels, model=tiny_model_dir))
    mixed = [Image.fromarray(pixels[0]), pixels[0][:, :, 0], pixels[1]]
    results += imageprocess.detect_many(mixed, model=tiny_model_dir)
    assert [r.source for r in results] == ["array", "array", "image", "array", "array"]
    assert [r.verdict.label if r.verdict else None for r in results] == ["ai", "ai", "ai", None, "ai"]


def test_closed_image_is_reported(tmp_path: Path, tiny_model_dir: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(gradient(), "PNG"))
    with Image.open(tmp_path / "a.png") as image:
        pass
    with pytest.raises(UsageError, match="the PIL image cannot be read"):
        imageprocess.detect(image, model=tiny_model_dir)


def test_to_dict_returns_record(tiny_model_dir: Path) -> None:
    result = imageprocess.detect(encode(gradient(), "PNG"), model=tiny_model_dir)
    record = result.to_dict()
    assert list(record)[:3] == ["schema", "source", "status"] and record["source"] == "bytes"
    (failed,) = imageprocess.detect_many([b"no picture"], model=tiny_model_dir)
    assert failed.to_dict()["error"]["code"] == "unsupported_format"


TYPED = """
from pathlib import Path
import numpy as np
from PIL import Image
import imageprocess

def check(path: Path, image: Image.Image) -> float | None:
    result: imageprocess.Result = imageprocess.detect(path, mode="balanced", only=["model"])
    imageprocess.detect(image)
    imageprocess.detect(np.zeros((8, 8, 3), dtype=np.uint8))
    imageprocess.detect(imageprocess.fetch("https://example.org/a.png", allow_private=True))
    for one in imageprocess.detect_many([path, image, b"", bytearray()], jobs=2):
        record: dict[str, object] = one.to_dict()
        print(record, imageprocess.Detector("cnn").detect("a.jpg"))
    mode: imageprocess.Mode = "best-guess"
    picture: imageprocess.Picture = path
    print(mode, picture)
    return result.verdict.probability_ai if result.verdict else None

imageprocess.detect(7)
imageprocess.detect("a.jpg", mode="sure")
"""


def test_public_api_is_typed(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    script = tmp_path / "caller.py"
    script.write_text(TYPED)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--ignore-missing-imports",
    ]
    completed = subprocess.run([*command, str(script)], capture_output=True, text=True, cwd=tmp_path)
    errors = [line for line in completed.stdout.splitlines() if "error:" in line]
    assert [error.split(":")[1] for error in errors] == ["20", "21"], completed.stdout
