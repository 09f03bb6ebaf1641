"""A network is trained on the probabilities of a teacher beside the labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from imageprocess.cli import main
from imageprocess.data.index import IndexRow, read_index, write_index
from imageprocess.errors import DataError, UsageError
from imageprocess.train.encoder import head
from imageprocess.train.encoder.features import TRAIN_VARIANTS
from imageprocess.train.encoder.head import HeadOptions
from imageprocess.train.loop import train
from imageprocess.train.recipes import Recipe
from imageprocess.train.samples.options import LoaderOptions
from imageprocess.train.teacher import Teacher, training_targets, write_teacher

pytestmark = pytest.mark.torch
IN_PROCESS = LoaderOptions(workers=0)
RECIPE = Recipe(
    net="small32", epochs=10, batch_size=8, learning_rate=1e-3, warmup_steps=2, degraded_copies=0,
    averaging=0.5, precision="32-true", teacher_share=1.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def rows(drawn_data: Path) -> list[IndexRow]:
    return [row for row in read_index(drawn_data) if row.split == "train"]


def test_targets_mix_labels_and_teacher(rows: list[IndexRow], tmp_path: Path) -> None:
    write_teacher(tmp_path / "t.csv", {rows[0].sha256: 0.75})
    teacher = Teacher.open(tmp_path / "t.csv", rows)
    recipe = replace(RECIPE, label_smoothing=0.2, teacher_share=0.5)
    targets = training_targets(rows, recipe, teacher)
    label = 0.9 if rows[0].label == "ai" else 0.1
    assert targets[0].tolist() == pytest.approx([(label + 0.75) / 2, 1 - (label + 0.75) / 2])
    for row, target in list(zip(rows, targets.tolist(), strict=True))[1:]:
        assert target == pytest.approx([0.9, 0.1] if row.label == "ai" else [0.1, 0.9])
    assert teacher.facts()["images"] == 1


def test_network_learns_from_the_teacher_alone(
    rows: list[IndexRow], drawn_data: Path, tmp_path: Path
) -> None:
    """A teacher that says the opposite of the labels, with its full weight: the network says what the teacher says."""
    write_teacher(tmp_path / "t.csv", {row.sha256: float(row.label == "real") for row in rows})
    result = train(drawn_data, tmp_path / "run", RECIPE, loader=IN_PROCESS, teacher=tmp_path / "t.csv")
    assert result.log[-1]["val_accuracy"] < 0.2
    facts = result.facts()
    assert facts["teacher"]["images"] == len(rows) and facts["recipe"]["teacher_share"] == 1.0


def test_resume_with_another_teacher_is_rejected(
    rows: list[IndexRow], drawn_data: Path, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, epochs=1)
    for name, value in (("a.csv", 0.2), ("b.csv", 0.3)):
        write_teacher(tmp_path / name, {row.sha256: value for row in rows})
    train(drawn_data, tmp_path / "run", recipe, loader=IN_PROCESS, teacher=tmp_path / "a.csv")
    with pytest.raises(UsageError, match="--teacher"):
        train(
            drawn_data, tmp_path / "run", recipe, loader=IN_PROCESS, teacher=tmp_path / "b.csv", resume=True
        )
    with pytest.raises(UsageError, match="go together"):
        train(drawn_data, tmp_path / "other", recipe, loader=IN_PROCESS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sha256,score\nx,1\n", "no columns sha256 and probability_ai"),
        ("sha256,probability_ai\nx,0.5\ny,1.5\n", "line 3: probability_ai is '1.5'"),
        ("sha256,probability_ai\nx,nan\n", "line 2: probability_ai is 'nan'"),
        ("sha256,probability_ai\nx,\n", "none of the 24 training images"),
        ("sha256,probability_ai\nx,0.5\n", "none of the 24 training images"),
    ],
)
def test_unusable_table_is_rejected(rows: list[IndexRow], tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        Teacher.open(tmp_path / "t.csv", rows)


def _write_data(data: Path) -> list[IndexRow]:
    """24 sources whose features differ by source and say nothing else: a head knows the label of a source that it was
    trained on, and guesses that of another."""
    rng, rows = np.random.default_rng(0), []
    for number in range(48):
        split = "val" if number >= 44 else "train"
        label, source = "ai" if number // 2 % 2 else "real", f"s{number // 2:02}"
        rows.append(
            IndexRow(
                f"{number}.png", label, source, "", "photo", "", f"{number:064x}", 1, 9, 9, "PNG", None, split, "g"
            )
        )  # fmt: skip
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        features = np.broadcast_to(rng.normal(0, 1, (2, 32)), (4, 2, 32)).astype(np.float16)
        np.savez(
            data / f"{first.source}.npz", cls=features, patches=features, variant=np.array(TRAIN_VARIANTS * 2),
            sha256=np.repeat([first.sha256, second.sha256], 2),
        )  # fmt: skip
    write_index(data, rows)
    return [row for row in rows if row.split == "train"]


def test_table_of_heads_is_out_of_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = HeadOptions(hidden=4, seeds=1, epochs=1, batch_size=8, folds=2)
    monkeypatch.setattr(head, "HeadOptions", lambda: small)
    rows, table, folder = _write_data(tmp_path), tmp_path / "t.csv", str(tmp_path)
    outcome = CliRunner().invoke(
        main, ["encoder", "teacher", "--data", folder, "--features", folder, "--out", str(table)]
    )
    assert outcome.exit_code == 0, outcome.output
    assert len(table.read_text().splitlines()) == 1 + len(rows)  # none of validation
    probability = Teacher.open(table, rows).probability_ai
    is_ai = torch.tensor([row.label == "ai" for row in rows])
    assert not probability.isnan().any()
    assert ((probability > 0.5) == is_ai).float().mean() < 0.8  # 1.0 by heads that know the sources
