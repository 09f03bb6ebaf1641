"""Leave one generator family out: it is not trained on, and its row has the score of that network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imageprocess.train.loop
from imageprocess.data.index import IndexRow, write_index
from imageprocess.errors import DataError, UsageError
from imageprocess.evaluate.leave_one_out import NOTHING, Plan, families_of, leave_one_out, render_table

_ORIGINS = ("FLUX.1 [dev]", "Midjourney v6", "FLUX / Midjourney mix")


@pytest.fixture(scope="module")
def two_families(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 images each of FLUX and Midjourney, 10 of a source that mixes them, 60 real images; in three splits."""
    folder = tmp_path_factory.mktemp("families")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(150):
        origin = (
            _ORIGINS[0]
            if number < 40
            else _ORIGINS[1]
            if number < 80
            else _ORIGINS[2]
            if number < 90
            else "phone"
        )
        label = "real" if origin == "phone" else "ai"
        path = folder / f"{number}.png"
        Image.fromarray(rng.integers(0, 255 if label == "ai" else 90, (64, 64, 3), dtype=np.uint8)).save(path)
        data = path.read_bytes()
        split = ("train", "train", "train", "val", "test")[number % 5]
        rows.append(
            IndexRow(
                path.name, label, origin[:4], origin, "photo", "CC0", hashlib.sha256(data).hexdigest(), len(data),
                64, 64, "PNG", None, split, f"g{number}",
            )
        )  # fmt: skip
    write_index(folder, rows)
    return folder


def test_each_family_is_scored_by_a_network_trained_without_it(two_families, monkeypatch):
    trained_on = []
    train = imageprocess.train.loop.train

    def record_training(*args, rows, **options):
        trained_on.append({row.origin for row in rows if row.label == "ai"})
        return train(*args, rows=rows, **options)

    monkeypatch.setattr(imageprocess.train.loop, "train", record_training)
    progress = []
    record = leave_one_out(
        two_families,
        Plan(epochs=1, sample=32),
        jobs=1,
        resamples=10,
        report=lambda left_out, done, of: progress.append((left_out, done, of)),
    )
    assert progress == [(NOTHING, 0, 3), ("FLUX", 1, 3), ("Midjourney", 2, 3)]
    assert trained_on == [set(_ORIGINS), {"Midjourney v6"}, {"FLUX.1 [dev]"}]  # a mixed source contains both
    flux, midjourney = record["rows"]
    assert (flux["family"], flux["n"], midjourney["n"]) == ("FLUX", 40, 40)
    assert record["n_real"] == 12
    for row in record["rows"]:
        assert 0 <= row["left_out"]["auroc"] <= 1 and 0 <= row["seen"]["auroc"] <= 1
    text = render_table(record)
    assert "| FLUX | 40 | " in text and text.splitlines()[-1].startswith("| mean | | ")


def test_one_family_is_rejected(two_families, tmp_path):
    rows = [
        line
        for line in (two_families / "index.csv").read_text(encoding="utf-8").splitlines()
        if "Midjourney" not in line
    ]
    (tmp_path / "index.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="two are needed"):
        leave_one_out(tmp_path, Plan())


@pytest.mark.parametrize(
    ("origin", "families"),
    [
        ("Stable Diffusion 1.x (CompVis script, 384px)", {"Stable Diffusion 1 and 2"}),
        ("AI Horde: many SD1.5/SD2/SDXL checkpoints", {"Stable Diffusion 1 and 2", "Stable Diffusion XL"}),
        ("DALL-E mini / Craiyon", {"DALL-E mini"}),
        ("Stable Diffusion 3.5 Large", {"Stable Diffusion 3"}),
        ("my own diffusion model", {"my own diffusion model"}),
    ],
)
def test_generator_families(origin, families):
    assert families_of(origin) == families


def test_manifest_family_has_priority():
    assert families_of("DreamShaper 8", "sd_1_2") == {"Stable Diffusion 1 and 2"}
    assert families_of("FLUX and Midjourney", "mixed") == {"FLUX", "Midjourney"}
    assert families_of("Kandinsky 2", "other") == {"Kandinsky 2"}


def test_invalid_network_is_rejected(two_families: Path) -> None:
    with pytest.raises(UsageError, match="--net nonet: unknown network"):
        leave_one_out(two_families, Plan(net="nonet"))
