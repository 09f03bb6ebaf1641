"""Private mode matches Python: the same model input, probability, verdict and wording."""

from __future__ import annotations

import base64
import itertools
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from imageprocess.detector import Detector
from imageprocess.model.preprocess import resize
from imageprocess.model.spec import InputSpec
from imageprocess.types import Source
from tests.support.browsing import Open, probability, process_in_strips, saved_records
from tests.support.golden_pages import page_with_files, python_record
from tests.support.golden_pictures import golden_pictures

pytestmark = pytest.mark.e2e
FILTERS = ("box", "bilinear", "bicubic", "lanczos")
SIZES = [
    # down and up; strong and weak; one side kept; sizes at which Pillow starts with the other pass
    (640, 480, 224, 224), (480, 640, 224, 224), (90, 70, 224, 224), (300, 100, 111, 333), (37, 53, 50, 40),
    (224, 300, 224, 224), (300, 224, 224, 224), (1, 1, 7, 5), (500, 33, 64, 64), (33, 500, 64, 64),
    (225, 226, 224, 224), (225, 227, 224, 224), (100, 225, 224, 224), (223, 224, 224, 224), (700, 701, 160, 96),
    (700, 3100, 224, 224), (224, 9500, 224, 224),
]  # fmt: skip


REDUCED = [
    # one axis; both; a remainder of one pixel right, bottom, in the corner; long and thin; exact
    (900, 300, 224, 224), (300, 900, 224, 224), (1345, 1345, 224, 224), (897, 896, 224, 224), (896, 897, 224, 224),
    (961, 721, 40, 30), (13_001, 7, 50, 60), (5, 11_003, 64, 48), (1, 9000, 224, 224), (9000, 1, 224, 224),
    (1280, 960, 40, 30), (1152, 864, 224, 224), (700, 3100, 224, 224), (449, 1791, 112, 112),
]  # fmt: skip


def test_resampling_is_bit_exact_with_pillow(open_static: Open) -> None:
    page = open_static("docs.html").page
    rng = np.random.default_rng(5)
    sizes = SIZES + [tuple(int(side) for side in rng.integers(1, [500, 500, 250, 250])) for _ in range(10)]
    for size, name in itertools.product(sizes, FILTERS):
        _compare_resampling(page, size, name, None, rng)


@pytest.mark.parametrize("gap", [1.0, 1.5, 2.0, 3.0])
def test_reducing_is_bit_exact_with_pillow(open_static: Open, gap: float) -> None:
    page = open_static("docs.html").page
    rng = np.random.default_rng(6)
    sizes = REDUCED + [tuple(int(side) for side in rng.integers(1, [900, 900, 90, 90])) for _ in range(10)]
    for size, name in itertools.product(sizes, FILTERS if gap == 2.0 else ["bilinear"]):
        _compare_resampling(page, size, name, gap, rng)


def _compare_resampling(
    page: Page, size: tuple[int, int, int, int], name: str, gap: float | None, rng: np.random.Generator
) -> None:
    width, height, to_width, to_height = size
    rgba = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
    spec = InputSpec(to_width, to_height, name, (0.0,) * 3, (1.0,) * 3, gap)
    expected = resize(np.ascontiguousarray(rgba[..., :3]), spec)
    actual = process_in_strips(page, "resample.js Resampler", rgba, asdict(spec))
    assert actual == expected.tobytes(), (name, gap, size)


def test_forty_images_match_python(open_static: Open, tmp_path: Path) -> None:
    pictures = golden_pictures()
    assert len(pictures) >= 40
    detector = Detector()
    page = page_with_files(open_static, pictures, tmp_path)
    for mode, title in (("balanced", "Balanced"), ("best-guess", "Always pick a side")):
        if mode != "balanced":
            page.get_by_label("How certain an answer must be").select_option(title)
            page.get_by_role("button", name="Stop").wait_for()
            page.get_by_role("button", name="again").wait_for()
        records = {record["source"]: record for record in saved_records(page)}
        for name, data in pictures.items():
            expected = python_record(detector, name, data, mode)
            actual = records[name]
            assert actual["status"] == "ok", actual
            assert abs(probability(actual) - probability(expected)) < 0.01, name
            assert actual["verdict"]["label"] == expected["verdict"]["label"], name
            assert _wording(actual) == _wording(expected), name
            for key in ("schema", "sha256", "image", "model"):
                assert actual[key] == expected[key], name


def _wording(record: dict[str, Any]) -> str:
    """The reason without its figures: probabilities may differ in the last digits."""
    return re.sub(r"\d+ %", "_ %", record["verdict"]["reason"])


def test_heat_map_matches_python(open_static: Open, tmp_path: Path) -> None:
    """The page draws the values of the record, which are scaled for display as in Python."""
    data = golden_pictures()["jpeg-q85-420.jpg"]
    expected = Detector().detect(Source("x.jpg", data), heatmap=True).heatmap
    assert expected is not None
    page = open_static("docs.html").page
    actual = page.evaluate(
        """async (data) => {
            const { detect } = await import("./assets/js/private/client.js");
            const file = new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], "x.jpg");
            return (await detect(file, { mode: "balanced" })).record.heatmap;
        }""",
        base64.b64encode(data).decode(),
    )
    assert (actual["height"], actual["width"]) == expected.shape
    assert np.abs(np.array(actual["values"]).reshape(expected.shape) - expected).max() < 0.01
