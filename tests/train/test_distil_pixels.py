"""The student's pixels belong to exactly the copies whose features are used."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imageprocess.data.degrade import degrade
from imageprocess.data.index import IndexRow
from imageprocess.data.tiers import open_original
from imageprocess.model.views import cut_views
from imageprocess.train.distil.network import INPUT
from imageprocess.train.distil.pixels import write_pixels
from imageprocess.train.distil.targets import open_pixels
from imageprocess.train.encoder.features import (
    TEST_VARIANTS,
    TRAIN_VARIANTS,
    load_features,
    variants_of,
)
from testkit.pictures import encode, scene

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(("split", "other"), [("train", "open_test"), ("open_test", "train")])
def test_copies_of_a_former_split_have_no_pixels(tmp_path: Path, split: str, other: str) -> None:
    content = encode(scene(0), "JPEG")
    (tmp_path / "0.jpg").write_bytes(content)
    row = IndexRow(
        "0.jpg", "ai", "s", "", "photo", "", hashlib.sha256(content).hexdigest(), len(content), 320, 240, "JPEG", None,
        split, "g", test_set="open_test_1" if split == "open_test" else "",
    )  # fmt: skip
    store, pixels = tmp_path / "store", tmp_path / "pixels"
    store.mkdir()
    for name, variants in ("s", variants_of(replace(row, split=other))), ("s+1", variants_of(row)):
        features = np.zeros((len(variants), 2, 3), np.float16)
        np.savez(
            store / f"{name}.npz", cls=features, patches=features,
            sha256=np.array([row.sha256] * len(variants)), variant=np.array(variants),
        )  # fmt: skip
    write_pixels(tmp_path, store, pixels, [row], INPUT, 1, jobs=1)
    used = load_features(store, [row], TEST_VARIANTS if split == "open_test" else TRAIN_VARIANTS)
    (views,) = open_pixels(pixels, used)
    assert views.shape == (len(used.cls), 2, 224, 224, 3)
    if split == "train":
        first = degrade(open_original(content, "0.jpg").pixels, int(row.sha256[:12], 16), light=True)
        np.testing.assert_array_equal(views[0], cut_views(first, INPUT, 1))
