from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imageprocess.data.equalise import equalise, picture_seed
from imageprocess.data.index import CLASS_INDEX, read_index
from imageprocess.data.sampling import epoch_order
from imageprocess.errors import DataError
from imageprocess.model.preprocess import preprocess
from imageprocess.train.nets import CNN_INPUT, Small32
from imageprocess.train.samples.augment import random_shift
from imageprocess.train.samples.cache import CACHE, HELD_OUT_COPY, cache_copies, copy_path, read_copy
from imageprocess.train.samples.dataset import DegradedSamples, read_into_memory
from imageprocess.train.samples.pixels import to_input
from imageprocess.train.samples.resized import cache_resized


def test_an_epoch_shows_every_picture_and_weighs_the_classes_alike(drawn_data: Path) -> None:
    rows = read_index(drawn_data)
    order = epoch_order(rows, seed=1, epoch=0)
    assert set(order) == set(range(len(rows)))
    shown = Counter(rows[i].label for i in order)
    assert shown["ai"] == shown["real"]
    assert order != epoch_order(rows, seed=1, epoch=1)
    assert order == epoch_order(rows, seed=1, epoch=0)


def test_one_class_alone_is_an_error(drawn_data: Path) -> None:
    rows = [row for row in read_index(drawn_data) if row.label == "ai"]
    with pytest.raises(DataError, match="both classes"):
        epoch_order(rows, seed=0, epoch=0)


def test_training_shows_another_delivery_each_epoch_and_validation_never(drawn_data: Path) -> None:
    rows = read_index(drawn_data)[:4]
    for copies in (3, 0):
        pictures = DegradedSamples(drawn_data, rows, CNN_INPUT, copies=copies)
        first = pictures[0][0]
        assert torch.equal(first, pictures[0][0])
        pictures.set_epoch(1)
        assert torch.equal(first, pictures[0][0]) is (copies == 0)


def test_a_picture_and_its_class(drawn_data: Path) -> None:
    rows = read_index(drawn_data)
    pixels, label = DegradedSamples(drawn_data, rows, CNN_INPUT)[0]
    assert pixels.shape == (224, 224, 3) and pixels.dtype == torch.uint8
    assert label == {"ai": 0, "real": 1}[rows[0].label]


def test_the_network_is_shown_what_detection_shows_it(drawn_data: Path) -> None:
    rows = read_index(drawn_data)
    pixels, _ = DegradedSamples(drawn_data, rows, CNN_INPUT)[0]
    shown = to_input(pixels[None], CNN_INPUT)
    assert shown.is_contiguous(memory_format=torch.channels_last)
    delivered = equalise(
        np.asarray(Image.open(drawn_data / rows[0].path)), picture_seed(rows[0].sha256)
    ).pixels
    np.testing.assert_allclose(shown[0].numpy(), preprocess(delivered, CNN_INPUT), atol=1e-6)


def test_stored_deliveries_are_the_ones_that_would_be_made(drawn_data: Path, tmp_path: Path) -> None:
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
    assert not (
        tmp_path / CACHE / ".lock"
    ).exists()  # a set that is complete may lie where nothing can be written
    assert not copy_path(tmp_path, rows[2], 1).exists()
    for row in rows:
        (tmp_path / row.path).unlink()
    stored = [read_copy(tmp_path, rows[0], 2), read_copy(tmp_path, rows[2], HELD_OUT_COPY)]
    for before, after in zip(made, stored, strict=True):
        np.testing.assert_array_equal(before, after)


def test_of_two_runs_the_second_waits_and_finds_what_the_first_has_made(
    drawn_data: Path, tmp_path: Path
) -> None:
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
    told = sorted(run.communicate()[0].count("\n") for run in runs)
    assert [run.returncode for run in runs] == [0, 0]
    assert told == [0, 2 * len(rows)]


def test_a_picture_that_is_gone_is_named(drawn_data: Path, tmp_path: Path) -> None:
    (row, *_) = read_index(drawn_data)
    with pytest.raises(DataError, match=f"{row.path}: is in the index and cannot be read"):
        cache_copies(tmp_path, [row], [], copies=1, jobs=1, progress=lambda done, of: None)


def test_a_shift_keeps_what_stays_in_view() -> None:
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


def test_kept_arrays_are_read_and_not_made_again(drawn_data: Path, tmp_path: Path) -> None:
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
    found = DegradedSamples(tmp_path, fewer, CNN_INPUT, copies=2, resized=True)[0][0]
    assert any(torch.equal(found, seen) for seen in (expected[2], expected[2].flip(1)))


def test_pictures_in_memory_are_as_they_are_and_in_training_moved(drawn_data: Path) -> None:
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
