from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imageprocess.data.equalise import equalise, picture_seed
from imageprocess.data.index import CLASS_INDEX, read_index
from imageprocess.errors import DataError
from imageprocess.model.preprocess import preprocess
from imageprocess.train.nets import CNN_INPUT, Small32
from imageprocess.train.samples.augment import random_shift
from imageprocess.train.samples.cache import CACHE, HELD_OUT_COPY, cache_copies, copy_path, read_copy
from imageprocess.train.samples.dataset import DegradedSamples, read_into_memory
from imageprocess.train.samples.pixels import to_input
from imageprocess.train.samples.resized import cache_resized


def test_training_reads_another_copy_each_epoch_and_validation_the_same(drawn_data: Path) -> None:
    rows = read_index(drawn_data)[:4]
    for copies in (3, 0):
        pictures = DegradedSamples(drawn_data, rows, CNN_INPUT, copies=copies)
        first = pictures[0][0]
        assert torch.equal(first, pictures[0][0])
        pictures.set_epoch(1)
        assert torch.equal(first, pictures[0][0]) is (copies == 0)


def test_a_sample_is_pixels_and_class_index(drawn_data: Path) -> None:
    rows = read_index(drawn_data)
    pixels, label = DegradedSamples(drawn_data, rows, CNN_INPUT)[0]
    assert pixels.shape == (224, 224, 3) and pixels.dtype == torch.uint8
    assert label == {"ai": 0, "real": 1}[rows[0].label]


def test_the_input_of_training_is_that_of_detection(drawn_data: Path) -> None:
    rows = read_index(drawn_data)
    pixels, _ = DegradedSamples(drawn_data, rows, CNN_INPUT)[0]
    batch = to_input(pixels[None], CNN_INPUT)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    degraded = equalise(
        np.asarray(Image.open(drawn_data / rows[0].path)), picture_seed(rows[0].sha256)
    ).pixels
    np.testing.assert_allclose(batch[0].numpy(), preprocess(degraded, CNN_INPUT), atol=1e-6)


def test_cached_copies_equal_those_made_on_access(drawn_data: Path, tmp_path: Path) -> None:
    rows = [row for row in read_index(drawn_data) if row.split != "test"][:3]
    (tmp_path / "images").mkdir()
    for row in rows:
        (tmp_path / row.path).write_bytes((drawn_data / row.path).read_bytes())
    made = [read_copy(tmp_path, rows[0], 2), read_copy(tmp_path, rows[2], HELD_OUT_COPY)]
    done: list[tuple[int, int]] = []
    for _ in range(2):  # the second time there is nothing left to do
        cache_copies(tmp_path, rows[:2], rows[2:], copies=2, jobs=1, progress=lambda *at: done.append(at))
    assert done == [(1, 3), (2, 3), (3, 3)]
    (tmp_path / CACHE / ".lock").unlink(missing_ok=True)
    cache_copies(tmp_path, rows[:2], rows[2:], copies=2, jobs=1, progress=lambda *at: done.append(at))
    assert not (tmp_path / CACHE / ".lock").exists()  # a complete set may be in a read-only folder
    assert not copy_path(tmp_path, rows[2], 1).exists()
    for row in rows:
        (tmp_path / row.path).unlink()
    stored = [read_copy(tmp_path, rows[0], 2), read_copy(tmp_path, rows[2], HELD_OUT_COPY)]
    for before, after in zip(made, stored, strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_second_of_two_runs_waits_for_the_cache_of_the_first(drawn_data: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(drawn_data, tmp_path / "set", ignore=shutil.ignore_patterns(CACHE))
    rows = [row for row in read_index(folder) if row.split != "test"]
    command = (
        "import sys; from pathlib import Path; from imageprocess.data.index import read_index;"
        "from imageprocess.train.samples.cache import cache_copies; folder = Path(sys.argv[1]);"
        "rows = [row for row in read_index(folder) if row.split != 'test'];"
        "cache_copies(folder, rows, rows, copies=2, jobs=2, progress=lambda *at: print(*at))"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", command, str(folder)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    lines_printed = sorted(run.communicate()[0].count("\n") for run in runs)
    assert [run.returncode for run in runs] == [0, 0]
    assert lines_printed == [0, 2 * len(rows)]


def test_a_missing_image_is_named(drawn_data: Path, tmp_path: Path) -> None:
    (row, *_) = read_index(drawn_data)
    with pytest.raises(DataError, match=f"{row.path}: listed in the index but cannot be read"):
        cache_copies(tmp_path, [row], [], copies=1, jobs=1, progress=lambda done, of: None)


def test_a_random_shift_moves_the_image_by_whole_pixels() -> None:
    image = np.random.default_rng(1).integers(0, 256, (60, 48, 3), dtype=np.uint8)
    offsets = set()
    for seed in range(40):
        moved = random_shift(image, 2, np.random.default_rng(seed))
        assert moved.shape == image.shape
        fits = [
            (y, x)
            for y in range(-2, 3)
            for x in range(-2, 3)
            if np.array_equal(moved[2:-2, 2:-2], image[2 + y : 58 + y, 2 + x : 46 + x])
        ]
        assert len(fits) == 1
        offsets.update(fits)
    assert len(offsets) > 15


def test_only_training_images_are_mirrored_and_random_shift(drawn_data: Path) -> None:
    rows = read_index(drawn_data)[:6]
    held_out = DegradedSamples(drawn_data, rows, CNN_INPUT)
    with_shift = DegradedSamples(drawn_data, rows, CNN_INPUT, max_shift=9)
    training = DegradedSamples(drawn_data, rows, CNN_INPUT, copies=1, max_shift=9)
    plain = DegradedSamples(drawn_data, rows, CNN_INPUT, copies=1)
    for index in range(len(rows)):
        assert torch.equal(held_out[index][0], with_shift[index][0])
        assert torch.equal(training[index][0], training[index][0])
        assert not torch.equal(training[index][0], plain[index][0])
        assert training[index][0].shape == (224, 224, 3)
    seen = set()
    for epoch in range(8):
        plain.set_epoch(epoch)
        seen.add(plain[0][0].numpy().tobytes())
    assert len(seen) == 2  # as it is, and mirrored


def test_resized_arrays_are_read_and_not_made_again(drawn_data: Path, tmp_path: Path) -> None:
    rows = read_index(drawn_data)[:3]
    (tmp_path / "images").mkdir()
    for row in rows:
        (tmp_path / row.path).write_bytes((drawn_data / row.path).read_bytes())
    made = DegradedSamples(tmp_path, rows, CNN_INPUT, copies=2)
    kept = DegradedSamples(tmp_path, rows, CNN_INPUT, copies=2, resized=True)
    done: list[tuple[int, int]] = []
    for _ in range(2):
        cache_resized(
            tmp_path, rows, kept.copy_number, CNN_INPUT, jobs=1, progress=lambda *at: done.append(at)
        )
    assert done == [(1, 3), (2, 3), (3, 3)]
    expected = [made[i][0] for i in range(3)]
    for row in rows:
        (tmp_path / row.path).unlink()
    for i, pixels in enumerate(expected):
        assert torch.equal(kept[i][0], pixels)
    fewer = [rows[2], rows[0]]
    cache_resized(tmp_path, fewer, kept.copy_number, CNN_INPUT, jobs=1, progress=lambda *at: done.append(at))
    assert len(done) == 3
    pixels = DegradedSamples(tmp_path, fewer, CNN_INPUT, copies=2, resized=True)[0][0]
    assert any(torch.equal(pixels, seen) for seen in (expected[2], expected[2].flip(1)))


def test_images_in_memory_are_not_degraded_and_shifted_in_training(drawn_data: Path) -> None:
    rows = [row for row in read_index(drawn_data) if row.split == "train"]
    training, held_out = read_into_memory(
        drawn_data, rows, rows[:3], Small32.input, seed=0, max_shift=2, jobs=1, progress=lambda done, of: None
    )
    with Image.open(drawn_data / rows[0].path) as image:
        expected = np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR))
    pixels, label = held_out[0]
    np.testing.assert_array_equal(pixels.numpy(), expected)
    assert label == CLASS_INDEX[rows[0].label] and len(held_out) == 3
    seen = set()
    for epoch in range(8):
        training.set_epoch(epoch)
        first, again = training[0][0].numpy(), training[0][0].numpy()
        np.testing.assert_array_equal(first, again)
        seen.add(first.tobytes())
        # Moved by two at most: of the middle, what was there is there still, mirrored or not.
        held = expected[8:24, 8:24]
        assert any(
            np.array_equal(held, turned[8 + y : 24 + y, 8 + x : 24 + x])
            for turned in (first, first[:, ::-1])
            for y in range(-2, 3)
            for x in range(-2, 3)
        )
    assert len(seen) > 4
