"""The audit finds what was hidden, and finds nothing where nothing is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imageprocess.data.audit import FEATURES, MAX_AUROC, audit, to_features
from imageprocess.data.equalise import Equalised, equalise
from imageprocess.data.facts import read_facts
from imageprocess.data.index import IndexRow
from imageprocess.errors import DataError
from testkit.pictures import encode, scene

Draw = Callable[[np.random.Generator, str], bytes]


def fill(folder: Path, count: int, draw: Draw, *, sources: int = 4, split: str = "train") -> list[IndexRow]:
    """`count` pictures of either class, spread over so many sources."""
    rng = np.random.default_rng(1)
    rows = []
    for number in range(2 * count):
        label = ("ai", "real")[number % 2]
        data = draw(rng, label)
        path = f"{label}-{number}"
        (folder / path).write_bytes(data)
        facts = read_facts(data)
        rows.append(
            IndexRow(
                path=path, label=label, source=f"{label}{number // 2 % sources}", origin="", category="", licence="",
                sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), width=facts.width, height=facts.height,
                format=facts.format, jpeg_quality=facts.jpeg_quality, split=split, group=str(number),
            )
        )  # fmt: skip
    return rows


def same(rng: np.random.Generator, label: str) -> bytes:
    """Nothing of the file depends on the label."""
    width, height = (int(side) for side in rng.integers(200, 400, size=2))
    picture = scene(int(rng.integers(2**31)), width, height)
    return encode(picture, "JPEG", quality=int(rng.integers(40, 96)))


def png_against_jpeg(rng: np.random.Generator, label: str) -> bytes:
    picture = scene(int(rng.integers(2**31)), 220, 220 if label == "ai" else 300)
    return encode(picture, "PNG") if label == "ai" else encode(picture, "JPEG", quality=90)


def detailed_against_soft(rng: np.random.Generator, label: str) -> bytes:
    """Files of one kind, but pictures of another: AI's are full of noise."""
    pixels = np.asarray(scene(int(rng.integers(2**31)), 240, 240)).astype(int)
    if label == "ai":
        pixels = np.clip(pixels + rng.normal(0, 30, pixels.shape), 0, 255)
    return encode(Image.fromarray(pixels.astype(np.uint8)), "JPEG", quality=90)


def test_audit_passes_if_files_of_both_classes_are_alike(tmp_path: Path) -> None:
    report = audit(tmp_path, fill(tmp_path, 150, same))
    assert report.pictures == 300
    noise = 3 * report.standard_error
    assert abs(report.raw.auroc - 0.5) < noise
    assert abs(report.equalised.auroc - 0.5) < noise
    assert report.standard_error == pytest.approx(0.0334, abs=1e-3)


def test_format_and_size_leaks_are_detected_and_equalised(tmp_path: Path) -> None:
    report = audit(tmp_path, fill(tmp_path, 150, png_against_jpeg))
    assert report.raw.auroc > 0.99
    assert report.raw.auroc_by_source is not None and report.raw.auroc_by_source > 0.99
    assert report.equalised_without_bytes.auroc < 0.5 + 3 * report.standard_error
    assert set(report.raw.importance) == set(FEATURES)


def test_leak_after_equalisation_fails_and_is_named(tmp_path: Path) -> None:
    report = audit(tmp_path, fill(tmp_path, 100, detailed_against_soft))
    assert report.equalised.auroc > MAX_AUROC
    assert not report.passed
    assert next(iter(report.equalised.importance)).startswith("bytes")
    assert report.equalised_without_bytes.auroc < 0.5 + 3 * report.standard_error


def _two_categories(tmp_path: Path, draw: Draw) -> list[IndexRow]:
    """Photographs as `draw` draws them; art with the classes exchanged. In all, nothing tells the classes."""
    exchanged = {"ai": "real", "real": "ai"}
    draws: dict[str, Draw] = {"photo": draw, "art": lambda rng, label: draw(rng, exchanged[label])}
    rows = []
    for category, one in draws.items():
        (tmp_path / category).mkdir()
        drawn = fill(tmp_path / category, 60, one)
        rows += [replace(row, category=category, path=f"{category}/{row.path}") for row in drawn]
    return rows


def test_category_with_different_detail_is_a_warning(tmp_path: Path) -> None:
    report = audit(tmp_path, _two_categories(tmp_path, detailed_against_soft))
    assert set(report.by_category) == {"photo", "art"}
    assert all(leak.auroc > 0.9 and leak.differs_in_detail for leak in report.by_category.values())
    assert all(leak.passed for leak in report.by_category.values())
    assert {leak.pictures for leak in report.by_category.values()} == {120}


def test_leak_within_a_category_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a fault in the equalisation: it keeps each picture's width and height."""

    def keeps_size(pixels: NDArray[np.uint8], seed: int) -> Equalised:
        done = equalise(pixels, seed)
        image = Image.fromarray(done.pixels).resize((pixels.shape[1], pixels.shape[0]))
        return replace(done, data=encode(image, "JPEG", quality=done.quality))

    def tall_against_square(rng: np.random.Generator, label: str) -> bytes:
        picture = scene(int(rng.integers(2**31)), 220, 220 if label == "ai" else 300)
        return encode(picture, "JPEG", quality=90)

    monkeypatch.setattr("imageprocess.data.audit.equalise", keeps_size)
    monkeypatch.setattr(
        "imageprocess.data.audit.ProcessPoolExecutor", lambda jobs, **_: ThreadPoolExecutor(jobs)
    )
    report = audit(tmp_path, _two_categories(tmp_path, tall_against_square))
    assert all(leak.auroc_without_bytes > 0.9 and not leak.passed for leak in report.by_category.values())
    assert report.equalised_without_bytes.auroc < 0.6
    assert not report.passed


def test_audit_passes_if_categories_are_alike(tmp_path: Path) -> None:
    rows = [
        replace(row, category=("photo", "art", "cg")[min(2, number // 100)])
        for number, row in enumerate(fill(tmp_path, 110, same))
    ]
    report = audit(tmp_path, rows)
    assert set(report.by_category) == {"photo", "art"}, "too few are no measurement"
    assert all(leak.passed for leak in report.by_category.values())


def test_the_sample_is_balanced_and_leaves_open_test_out(tmp_path: Path) -> None:
    rows = fill(tmp_path, 60, same)
    (tmp_path / "held").mkdir()
    held = fill(
        tmp_path / "held", 30, same, split="open_test"
    )  # their files lie elsewhere: reading one would fail
    unbalanced = rows + [row for row in held if row.label == "ai"]
    seen: list[tuple[int, int]] = []
    report = audit(tmp_path, unbalanced, sample=100, progress=lambda done, of: seen.append((done, of)))
    assert report.pictures == 100
    assert seen[-1] == (100, 100)


def test_audit_is_deterministic(tmp_path: Path) -> None:
    rows = fill(tmp_path, 40, same)
    assert audit(tmp_path, rows) == audit(tmp_path, rows)


def test_audit_of_a_set_without_jpeg(tmp_path: Path) -> None:
    """No picture has any JPEG fact: those columns are empty."""
    rows = fill(tmp_path, 30, lambda rng, label: encode(scene(int(rng.integers(2**31)), 210, 210), "PNG"))
    assert audit(tmp_path, rows).raw.auroc == pytest.approx(0.5, abs=0.25)


def test_one_source_a_class_cannot_be_folded_by_source(tmp_path: Path) -> None:
    assert audit(tmp_path, fill(tmp_path, 30, same, sources=1)).equalised.auroc_by_source is None


def test_audit_of_too_few_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"at least 25 .* there are 10 ai and 10 real"):
        audit(tmp_path, fill(tmp_path, 10, same))


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_unreadable_image_is_named(damage: str, tmp_path: Path) -> None:
    rows = fill(tmp_path, 30, same)
    path = tmp_path / rows[0].path
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(DataError, match=rows[0].path):
        audit(tmp_path, rows)


def test_features_are_numbers_in_the_order_of_their_names() -> None:
    data = encode(scene(0, 200, 100), "JPEG", quality=50, subsampling=2, comment=b"x")
    values = dict(zip(FEATURES, to_features(read_facts(data)), strict=True))
    assert (values["width"], values["height"], values["aspect"], values["JPEG quality"]) == (200, 100, 2, 50)
    assert (values["bytes"], values["has text"], values["has EXIF"]) == (len(data), True, False)
    png = dict(zip(FEATURES, to_features(read_facts(encode(scene(0), "PNG"))), strict=True))
    assert np.isnan([png["JPEG quality"], png["JPEG luma table mean"], png["JPEG subsampling"]]).all()
    assert png["format"] != values["format"]
