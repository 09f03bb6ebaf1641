"""NovelAI stealth records, written by an independent writer."""

from __future__ import annotations

import gzip
import io
import json

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imageprocess.decode import decode
from imageprocess.types import DecodedImage, ImageFacts
from imageprocess.verdict import decide
from imageprocess.watermark import read_watermarks
from imageprocess.watermark.stealth import find_stealth_record
from testkit.marks import embed_stealth

COMMENT = {"prompt": "1girl, hat", "uc": "lowres", "seed": 7, "sampler": "k_euler", "steps": 28}
RECORD = {
    "Description": "1girl, hat",
    "Software": "NovelAI",
    "Source": "NovelAI Diffusion V4 37442FCA",
    "Comment": json.dumps(COMMENT),
}


def noise(channels: int, height: int = 90, width: int = 110) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (height, width, channels), dtype=np.uint8)


def saved(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None = None) -> DecodedImage:
    planes = rgb if alpha is None else np.concatenate([rgb, alpha], axis=2)
    buffer = io.BytesIO()
    Image.fromarray(planes).save(buffer, "PNG")
    return decode(buffer.getvalue())


@pytest.mark.parametrize("place", ["alpha", "rgb"])
@pytest.mark.parametrize("kind", ["info", "comp"])
def test_stealth_record_in_alpha_and_rgb_plain_and_compressed(place: str, kind: str) -> None:
    signature = f"stealth_{'png' if place == 'alpha' else 'rgb'}{kind}".encode()
    text = json.dumps(RECORD).encode()
    if place == "alpha":
        image = saved(noise(3), embed_stealth(np.full((90, 110, 1), 255, dtype=np.uint8), signature, text))
    else:
        image = saved(embed_stealth(noise(3), signature, text))
    (item,) = read_watermarks(image)
    assert (item.kind, item.trust, item.points_to) == ("watermark", "unsigned", "ai")
    assert item.detail["generator"] == "NovelAI" and item.detail["place"] == place
    assert item.detail["prompt"] == "1girl, hat" and item.detail["negative_prompt"] == "lowres"
    assert item.detail["seed"] == "7" and item.detail["sampler"] == "k_euler"
    assert decide([item], None).decided_by == "watermark"


def test_img2img_stealth_record_is_edit() -> None:
    record = {**RECORD, "Comment": json.dumps({**COMMENT, "request_type": "Img2ImgRequest"})}
    image = saved(embed_stealth(noise(3), b"stealth_rgbcomp", json.dumps(record).encode()))
    (item,) = read_watermarks(image)
    assert item.points_to == "ai_edited"


def test_webui_stealth_parameters() -> None:
    text = b"a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 3, Size: 110x90"
    (item,) = read_watermarks(saved(embed_stealth(noise(3), b"stealth_rgbinfo", text)))
    assert item.points_to == "ai" and item.detail["prompt"] == "a cat" and item.detail["seed"] == "3"


def test_unknown_hidden_text_points_to_nothing() -> None:
    (item,) = read_watermarks(saved(embed_stealth(noise(3), b"stealth_rgbinfo", b"hello")))
    assert item.points_to == "nothing"


def test_compressed_stealth_bomb_is_limited() -> None:
    bomb = gzip.compress(bytes(300_000_000), 9)  # under 300 kB compressed
    height, width = 1000, 1000
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    stream = b"stealth_rgbcomp" + (8 * len(bomb)).to_bytes(4, "big") + bomb
    bits = np.unpackbits(np.frombuffer(stream, dtype=np.uint8))
    flat = pixels.transpose(1, 0, 2).reshape(-1).copy()
    flat[: len(bits)] = bits
    record = find_stealth_record(flat.reshape(width, height, 3).transpose(1, 0, 2), None)
    assert record is not None and len(record.text) <= 1_000_000


@pytest.mark.parametrize("size", [0, 8, 2**32 - 1])
def test_invalid_stealth_length_is_ignored(size: int) -> None:
    stream = b"stealth_rgbcomp" + size.to_bytes(4, "big")
    pixels = np.zeros((20, 20, 3), dtype=np.uint8)
    flat = pixels.transpose(1, 0, 2).reshape(-1).copy()
    bits = np.unpackbits(np.frombuffer(stream, dtype=np.uint8))
    flat[: len(bits)] = bits
    assert find_stealth_record(flat.reshape(20, 20, 3).transpose(1, 0, 2), None) is None


def test_tiny_images_have_no_stealth_record() -> None:
    for shape in ((1, 1, 3), (1, 60, 3), (60, 1, 3)):
        pixels = np.zeros(shape, dtype=np.uint8)
        facts = ImageFacts("PNG", shape[1], shape[0], 1, 100)
        assert read_watermarks(DecodedImage(facts, pixels, pixels[:, :, 0])) == []
